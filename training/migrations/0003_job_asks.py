from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('training', '0002_rounds_that_run_themselves'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='asks',
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
