"""Roles and bindings: the built-in roles, and for everybody there is the role that says what they could do."""

import uuid
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenancy.grants import ALL, grant, only_rows
from tenancy.roles import BUILT_IN, install


def built_in_roles(apps: Any, schema_editor: Any) -> None:
    """The rows of `tenancy/roles.py`."""
    install(apps.get_model("tenancy", "Role"), schema_editor.connection.alias)


def bindings(apps: Any, schema_editor: Any) -> None:
    """Whoever is of a tenant could change all that was its own: Owner. Of the platform's people, superusers
    could do everything, and those with access to the admin site read it; the others get nothing."""
    using = schema_editor.connection.alias
    binding = apps.get_model("tenancy", "Binding").objects.using(using)
    for user in apps.get_model("tenancy", "User").objects.using(using).order_by("username"):
        role = "Owner" if user.tenant_id else "PlatformAdmin" if user.is_superuser else "Auditor"
        if user.tenant_id or user.is_superuser or user.is_staff:
            binding.create(user=user, role_id=BUILT_IN[role].id)


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelManagers(
            name='user',
            managers=[
            ],
        ),
        migrations.CreateModel(
            name='Role',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=63)),
                ('description', models.TextField(blank=True)),
                ('system', models.BooleanField(default=False, editable=False, help_text="For the platform's people.")),
                ('permissions', models.JSONField(default=list, help_text='Texts such as ResourcePool:manage:tenant.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('tenant', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='roles', to='tenancy.tenant')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Binding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('expires_at', models.DateTimeField(blank=True, help_text='From then on it gives nothing.', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bindings', to=settings.AUTH_USER_MODEL)),
                ('role', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bindings', to='tenancy.role')),
            ],
            options={
                'ordering': ['user__username', 'role__name'],
            },
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.UniqueConstraint(fields=('tenant', 'name'), name='one_role_of_a_name'),
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.CheckConstraint(condition=models.Q(('system', False), ('tenant', None), _connector='OR'), name='system_roles_are_no_tenants'),
        ),
        migrations.AddConstraint(
            model_name='binding',
            constraint=models.UniqueConstraint(fields=('user', 'role'), name='one_binding_of_a_role'),
        ),
        grant(ALL, "tenancy_role", "tenancy_binding"),
        only_rows("tenancy_role", "tenant_id IS NOT NULL"),
        migrations.RunPython(built_in_roles, migrations.RunPython.noop),
        migrations.RunPython(bindings, migrations.RunPython.noop),
    ]
