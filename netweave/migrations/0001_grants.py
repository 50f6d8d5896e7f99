"""Grants on the tables of Django's own apps."""

from django.db import migrations

from tenancy.grants import ALL, READ, grant


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
        ("tenancy", "0001_initial"),
    ]

    operations = [
        grant(ALL, "django_session", "django_admin_log", "auth_group", "auth_group_permissions"),
        grant(READ, "auth_permission", "django_content_type", "django_migrations"),
    ]
