import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models

from tenancy.grants import ALL, grant


class Migration(migrations.Migration):

    dependencies = [
        ('o2ims', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='source',
            name='active',
            field=models.BooleanField(db_default=True, help_text='Whether it is the one of its group that is read.'),
        ),
        migrations.AddField(
            model_name='source',
            name='group',
            field=models.CharField(blank=True, db_default='', help_text='Of sources one of which is read at a time.', max_length=200),
        ),
        migrations.AddField(
            model_name='source',
            name='strategy',
            field=models.CharField(db_default='merge', help_text='How that one is chosen.', max_length=10),
        ),
        migrations.AddField(
            model_name='source',
            name='turn',
            field=models.PositiveIntegerField(db_default=0, help_text='Its place in the group.'),
        ),
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('action', models.CharField(choices=[('create', 'Create'), ('update', 'Update'), ('delete', 'Delete')], max_length=6)),
                ('kind', models.CharField(max_length=20)),
                ('native_name', models.TextField(blank=True)),
                ('native_id', models.TextField(blank=True)),
                ('object_id', models.UUIDField(null=True)),
                ('tenant', models.CharField(blank=True, help_text="Whose object it is; nobody's if empty.", max_length=63)),
                ('actor', models.CharField(max_length=150)),
                ('request_id', models.CharField(max_length=64)),
                ('traceparent', models.CharField(blank=True, max_length=55)),
                ('idempotency_key', models.CharField(blank=True, max_length=255)),
                ('fingerprint', models.CharField(help_text='Of what was asked, to know a repeat by.', max_length=32)),
                ('asked', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('started', 'Started'), ('done', 'Done'), ('failed', 'Failed'), ('settled', 'Settled')], default='started', max_length=10)),
                ('error_class', models.CharField(blank=True, max_length=40)),
                ('error', models.TextField(blank=True)),
                ('answer', models.JSONField(null=True)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deadline', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='operations', to='o2ims.source')),
            ],
            options={
                'ordering': ['-started_at'],
                'indexes': [models.Index(condition=models.Q(('state', 'started')), fields=['deadline'], name='operation_due'), models.Index(fields=['object_id'], name='operation_by_object'), models.Index(fields=['started_at'], name='operation_by_time')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('idempotency_key', ''), _negated=True), fields=('actor', 'idempotency_key'), name='operation_key')],
            },
        ),
        grant(ALL, "o2ims_operation"),
    ]
