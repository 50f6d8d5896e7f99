"""Grants on the tables of django-otp."""

from django.db import migrations

from tenancy.grants import ALL, grant


class Migration(migrations.Migration):
    dependencies = [
        ("netweave", "0001_grants"),
        ("otp_totp", "0003_add_timestamps"),
        ("otp_static", "0003_add_timestamps"),
    ]

    operations = [
        grant(ALL, "otp_totp_totpdevice", "otp_static_staticdevice", "otp_static_statictoken"),
    ]
