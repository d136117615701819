from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0003_campaign_blind'),
    ]

    operations = [
        migrations.AddField(
            model_name='task',
            name='room',
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
