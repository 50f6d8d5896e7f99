from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("o2ims", "0006_change_announced")]

    operations = [
        migrations.AddField(
            model_name="source",
            name="latency_ms",
            field=models.PositiveIntegerField(
                null=True, help_text="How long it took to answer its last check or complete list."
            ),
        ),
    ]
