import django.utils.timezone
from django.db import migrations, models

from labeling.audit.guards import drop_guards, make_guards


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0013_cohort_lasting'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField(default=0)),
                ('digest', models.CharField(blank=True, default='', max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name='AuditWaiting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('kind', models.CharField(max_length=30)),
                ('project', models.BigIntegerField(blank=True, null=True)),
                ('user', models.BigIntegerField(blank=True, null=True)),
                ('facts', models.JSONField(default=dict)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('kind', models.CharField(max_length=30)),
                ('project', models.BigIntegerField(blank=True, null=True)),
                ('user', models.BigIntegerField(blank=True, null=True)),
                ('facts', models.JSONField(default=dict)),
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('previous', models.CharField(max_length=64)),
                ('digest', models.CharField(max_length=64)),
            ],
            options={
                'ordering': ['number'],
                'indexes': [models.Index(fields=['project', '-number'], name='audit_of_project'), models.Index(fields=['user', '-number'], name='audit_of_user'), models.Index(fields=['kind', '-number'], name='audit_of_kind')],
            },
        ),
        migrations.RunPython(
            lambda apps, schema_editor: make_guards(schema_editor.connection),
            lambda apps, schema_editor: drop_guards(schema_editor.connection),
        ),
    ]
