
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('o2ims', '0002_operations'),
    ]

    operations = [
        migrations.AddField(
            model_name='operation',
            name='since',
            field=models.BigIntegerField(db_default=0, help_text='The newest Change of its source when it began.'),
        ),
        migrations.AddField(
            model_name='source',
            name='listed_version',
            field=models.CharField(blank=True, db_default='', help_text='As of which version that list was, if versions grow.', max_length=40),
        ),
    ]
