from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("o2ims", "0004_deeds"), ("tenancy", "0006_quotas")]

    operations = [
        migrations.AddField(
            model_name="item",
            name="takes",
            field=models.JSONField(db_default=[], default=list, help_text="What it takes of its tenant's quotas."),
        ),
        migrations.AddField(
            model_name="operation",
            name="held",
            field=models.JSONField(db_default=[], default=list, help_text="What it holds of its tenant's quotas."),
        ),
    ]
