from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("tenancy", "0007_rate_limit")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="callback_check",
            field=models.CharField(blank=True, choices=[("strict", "strict: a callback that does not answer is refused"), ("warn", "warn: it is said that it does not"), ("off", "off: it is not asked")], db_default="", default="", help_text="When somebody subscribes; empty: the platform's setting.", max_length=6),
        ),
        migrations.AddField(
            model_name="tenant",
            name="callback_networks",
            field=models.JSONField(blank=True, db_default=[], default=list, help_text="Private networks that its callbacks may go to, beside those of the platform's setting."),
        ),
    ]
