from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("o2ims", "0003_operation_since")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="deed",
            field=models.JSONField(db_default={}, default=dict, help_text="Who did it, for the audit trail."),
        ),
        migrations.AddField(
            model_name="operation",
            name="before",
            field=models.JSONField(help_text="The object's body as it was then.", null=True),
        ),
    ]
