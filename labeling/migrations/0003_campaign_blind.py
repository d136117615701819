from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0002_people_and_campaigns'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaign',
            name='blind',
            field=models.BooleanField(default=False, help_text='judges models: given to nobody whose role shows which model wrote what'),
        ),
    ]
