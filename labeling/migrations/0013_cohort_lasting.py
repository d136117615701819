from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0012_webhook_held'),
    ]

    operations = [
        migrations.AddField(
            model_name='cohort',
            name='lasting',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
