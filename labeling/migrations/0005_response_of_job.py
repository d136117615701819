import django.db.models.fields.json
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0004_task_room'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='response',
            index=models.Index(django.db.models.fields.json.KeyTransform('job', 'sampling'), name='response_of_job'),
        ),
    ]
