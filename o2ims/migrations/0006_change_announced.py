from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("o2ims", "0005_quotas")]

    operations = [
        migrations.AddField(
            model_name="change",
            name="announced",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Whether subscribers hear of it: its source was being read.",
            ),
        ),
    ]
