import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("tenancy", "0006_quotas")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="rate_limit",
            field=models.CharField(blank=True, db_default="", default="", help_text="Requests a second and at once, such as 200/400; empty: the platform's default.", max_length=20, validators=[django.core.validators.RegexValidator("\\A[1-9][0-9]{0,5}/[1-9][0-9]{0,6}\\Z", "Requests a second and at once, such as 200/400.")]),
        ),
    ]
