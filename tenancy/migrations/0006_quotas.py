from django.db import migrations, models

from tenancy.grants import ALL, grant


class Migration(migrations.Migration):

    dependencies = [("tenancy", "0005_audit")]

    operations = [
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(choices=[(n, n) for n in ("maxResourcePools", "maxResources", "maxCpuCores", "maxMemoryGb", "maxSubscriptions")], max_length=30)),
                ("limit", models.DecimalField(blank=True, decimal_places=3, help_text="Empty: the platform's default.", max_digits=15, null=True)),
                ("used", models.DecimalField(decimal_places=3, default=0, editable=False, max_digits=15)),
                ("held", models.DecimalField(decimal_places=3, default=0, editable=False, max_digits=15)),
                ("tenant", models.ForeignKey(db_constraint=False, on_delete=models.deletion.DO_NOTHING, related_name="quotas", to="tenancy.tenant")),
            ],
            options={"ordering": ["tenant", "name"]},
        ),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.UniqueConstraint(fields=("tenant", "name"), name="one_quota_of_a_name"),
        ),
        grant(ALL, "tenancy_quota"),
    ]
