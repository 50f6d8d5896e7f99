"""The audit trail: entries in a table partitioned by day, and seals. The application inserts and selects;
partitions are made by a function of the owner's, which it may call."""

import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from tenancy.grants import APPEND, grant

TABLE = """
CREATE SEQUENCE tenancy_auditentry_id_seq AS bigint CACHE 1;
CREATE TABLE tenancy_auditentry (
    id bigint NOT NULL DEFAULT nextval('tenancy_auditentry_id_seq'),
    "timestamp" timestamptz NOT NULL,
    tenant varchar(63) NOT NULL,
    user_id uuid,
    actor varchar(150) NOT NULL,
    authentication varchar(20) NOT NULL,
    address varchar(64) NOT NULL,
    method varchar(16) NOT NULL,
    path text NOT NULL,
    action varchar(20) NOT NULL,
    kind varchar(30) NOT NULL,
    object_id varchar(200) NOT NULL,
    label varchar(300) NOT NULL,
    result varchar(7) NOT NULL,
    status smallint,
    request_id varchar(64) NOT NULL,
    before text,
    after text,
    reason text NOT NULL,
    PRIMARY KEY (id, "timestamp")
) PARTITION BY RANGE ("timestamp");
ALTER SEQUENCE tenancy_auditentry_id_seq OWNED BY tenancy_auditentry.id;
CREATE TABLE tenancy_auditentry_default PARTITION OF tenancy_auditentry DEFAULT;
CREATE INDEX auditentry_by_tenant ON tenancy_auditentry (tenant, id);
CREATE INDEX auditentry_by_actor ON tenancy_auditentry (actor, id);
CREATE INDEX auditentry_by_object ON tenancy_auditentry (object_id, id);
CREATE INDEX auditentry_by_request ON tenancy_auditentry (request_id, id);
CREATE INDEX auditentry_unwell ON tenancy_auditentry (result, id) WHERE result <> 'success';
"""
# Days are UTC's. A day whose entries have gone to the default partition already stays there.
FUNCTION = """
CREATE FUNCTION tenancy_audit_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    day date := (now() AT TIME ZONE 'UTC')::date;
    made integer := 0;
    part text;
BEGIN
    FOR ahead IN 0..7 LOOP
        part := 'tenancy_auditentry_' || to_char(day + ahead, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF tenancy_auditentry FOR VALUES FROM (%L) TO (%L)',
                part, (day + ahead) || ' 00:00:00+00', (day + ahead + 1) || ' 00:00:00+00'
            );
            made := made + 1;
        EXCEPTION WHEN duplicate_table OR check_violation THEN NULL;
        END;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION tenancy_audit_partitions() FROM PUBLIC;
SELECT tenancy_audit_partitions();
"""
UNDO = """
DROP FUNCTION tenancy_audit_partitions();
DROP TABLE tenancy_auditentry;
"""


def to_the_application(_apps, schema_editor):
    role = schema_editor.quote_name(settings.DATABASES["default"]["USER"])
    schema_editor.execute(f"GRANT USAGE, SELECT ON SEQUENCE tenancy_auditentry_id_seq TO {role}")
    schema_editor.execute(f"GRANT EXECUTE ON FUNCTION tenancy_audit_partitions() TO {role}")


class Migration(migrations.Migration):

    dependencies = [("tenancy", "0004_trust")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLE + FUNCTION, UNDO)],
            state_operations=[
                migrations.CreateModel(
                    name="AuditEntry",
                    fields=[
                        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                        ("timestamp", models.DateTimeField(default=django.utils.timezone.now, verbose_name="time")),
                        ("tenant", models.CharField(blank=True, help_text="Whose object, else whose person.", max_length=63)),
                        ("user_id", models.UUIDField(null=True, verbose_name="user id")),
                        ("actor", models.CharField(blank=True, max_length=150)),
                        ("authentication", models.CharField(blank=True, max_length=20)),
                        ("address", models.CharField(blank=True, max_length=64)),
                        ("method", models.CharField(blank=True, max_length=16)),
                        ("path", models.TextField(blank=True)),
                        ("action", models.CharField(max_length=20)),
                        ("kind", models.CharField(blank=True, max_length=30)),
                        ("object_id", models.CharField(blank=True, max_length=200, verbose_name="id of the object")),
                        ("label", models.CharField(blank=True, max_length=300, verbose_name="object")),
                        ("result", models.CharField(choices=[("success", "Success"), ("denied", "Denied"), ("error", "Error")], max_length=7)),
                        ("status", models.PositiveSmallIntegerField(null=True)),
                        ("request_id", models.CharField(blank=True, max_length=64, verbose_name="request id")),
                        ("before", models.TextField(null=True)),
                        ("after", models.TextField(null=True)),
                        ("reason", models.TextField(blank=True)),
                    ],
                    options={"verbose_name_plural": "audit entries", "ordering": ["-id"]},
                )
            ],
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("from_id", models.BigIntegerField(help_text="Its entries' ids are greater.")),
                ("to_id", models.BigIntegerField()),
                ("count", models.IntegerField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("entries", models.BinaryField(null=True)),
                ("digest", models.BinaryField(help_text="SHA-256 of entries.", max_length=32)),
                ("previous", models.BinaryField(help_text="SHA-256 of the statement of the seal before.", max_length=32)),
                ("sealed_at", models.DateTimeField()),
                ("key", models.CharField(help_text="Which key has signed.", max_length=40)),
                ("signature", models.BinaryField(max_length=64)),
            ],
            options={"ordering": ["number"]},
        ),
        grant(APPEND, "tenancy_auditentry", "tenancy_auditseal"),
        migrations.RunPython(to_the_application, migrations.RunPython.noop, elidable=False),
    ]
