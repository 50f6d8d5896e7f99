"""The admin pages of tenants, people, roles and the audit trail, in the order of the menu. For the platform's
people: each page asks their roles (`User.has_perm`), and the rules of granting hold here as they do in the
admin API."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from tenancy.admin.tenants import TenantAdmin  # isort: split

from tenancy.admin.users import UserAdmin  # isort: split

from tenancy.admin.roles import RoleAdmin  # isort: split

from tenancy.admin.bindings import BindingAdmin  # isort: split

from tenancy.admin.tokens import TokenAdmin  # isort: split

from tenancy.admin.certificates import CertificateAdmin, IssuerAdmin  # isort: split

from tenancy.admin.quotas import QuotaAdmin  # isort: split

from tenancy.admin.audit import AuditEntryAdmin

admin.site.unregister(Group)
admin.site.unregister([TOTPDevice, StaticDevice])  # their pages show keys

__all__ = [
    "AuditEntryAdmin",
    "BindingAdmin",
    "CertificateAdmin",
    "IssuerAdmin",
    "QuotaAdmin",
    "RoleAdmin",
    "TenantAdmin",
    "TokenAdmin",
    "UserAdmin",
]
