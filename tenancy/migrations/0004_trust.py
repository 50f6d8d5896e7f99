"""Which CAs are believed about whom, and the client certificates that were used."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from tenancy.grants import ALL, grant


class Migration(migrations.Migration):

    dependencies = [("tenancy", "0003_metadata")]

    operations = [
        migrations.CreateModel(
            name='Certificate',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('fingerprint', models.CharField(editable=False, help_text='SHA-256 of it.', max_length=64, unique=True)),
                ('subject', models.TextField(editable=False)),
                ('issuer', models.TextField(editable=False)),
                ('serial', models.CharField(editable=False, max_length=50)),
                ('expires_at', models.DateTimeField(editable=False)),
                ('first_used_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='certificates', to=settings.AUTH_USER_MODEL)),
            ],
            options={'ordering': ['-first_used_at']},
        ),
        migrations.CreateModel(
            name='Issuer',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('pem', models.TextField(help_text="The CA's certificate, as PEM.", verbose_name='certificate')),
                ('fingerprint', models.CharField(editable=False, max_length=64)),
                ('subject', models.TextField(editable=False)),
                ('expires_at', models.DateTimeField(editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('tenant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='issuers', to='tenancy.tenant')),
            ],
            options={
                'ordering': ['tenant', 'subject'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'fingerprint'), name='one_issuer_of_a_tenant', nulls_distinct=False)],
            },
        ),
        grant(ALL, "tenancy_issuer", "tenancy_certificate"),
    ]
