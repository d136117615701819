import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('labeling', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('pretrain', 'Pretrain'), ('sft', 'SFT'), ('sample', 'Sample'), ('reward', 'Reward'), ('ppo', 'PPO'), ('dpo', 'DPO'), ('score', 'Score')], max_length=12)),
                ('config', models.JSONField()),
                ('queue', models.CharField(choices=[('cpu', 'Cpu'), ('gpu', 'Gpu')], default='cpu', max_length=10)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('paused', 'Paused'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('wanted', models.CharField(choices=[('run', 'Run'), ('pause', 'Pause'), ('cancel', 'Cancel')], default='run', max_length=10)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('attempts_without_progress', models.PositiveSmallIntegerField(default=0)),
                ('owner', models.CharField(blank=True, help_text='host and process of the worker that holds it', max_length=200)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('step', models.PositiveBigIntegerField(default=0)),
                ('steps', models.PositiveBigIntegerField(blank=True, null=True)),
                ('phase', models.CharField(blank=True, max_length=20)),
                ('seconds_left', models.FloatField(blank=True, help_text="by the stage's own reckoning", null=True)),
                ('checkpoint_step', models.PositiveBigIntegerField(blank=True, help_text='of the newest good checkpoint', null=True)),
                ('stopped_early', models.BooleanField(default=False)),
                ('error', models.JSONField(blank=True, null=True)),
                ('report', models.JSONField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='jobs', to='labeling.project')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('base', 'Base'), ('sft', 'SFT'), ('reward', 'Reward'), ('policy', 'Policy')], max_length=10)),
                ('name', models.CharField(max_length=120)),
                ('uri', models.CharField(max_length=500)),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('metrics', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('generator', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checkpoints', to='labeling.generator')),
                ('parents', models.ManyToManyField(blank=True, related_name='children', to='training.checkpoint')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='checkpoints', to='labeling.project')),
                ('job', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='checkpoint', to='training.job')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='Metric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.PositiveBigIntegerField()),
                ('split', models.CharField(default='train', max_length=10)),
                ('values', models.JSONField()),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='metrics', to='training.job')),
            ],
            options={
                'ordering': ['step'],
            },
        ),
        migrations.CreateModel(
            name='Round',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('recipe', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=10)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rounds', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rounds', to='labeling.project')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('text', 'Text'), ('prompts', 'Prompts'), ('demonstrations', 'Demonstrations'), ('rankings', 'Rankings'), ('ratings', 'Ratings'), ('responses', 'Responses')], max_length=20)),
                ('query', models.JSONField(default=dict)),
                ('rows', models.PositiveBigIntegerField()),
                ('bytes', models.PositiveBigIntegerField()),
                ('uri', models.CharField(max_length=300)),
                ('sha256', models.CharField(max_length=64)),
                ('report', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='labeling.project')),
                ('submissions', models.ManyToManyField(blank=True, related_name='snapshots', to='labeling.submission')),
            ],
        ),
        migrations.CreateModel(
            name='JobInput',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(max_length=40)),
                ('checkpoint', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='used_by', to='training.checkpoint')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='inputs', to='training.job')),
                ('snapshot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='used_by', to='training.snapshot')),
            ],
        ),
        migrations.CreateModel(
            name='Stage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('pretrain', 'Base model'), ('sft', 'SFT'), ('sample', 'Sample'), ('rank', 'Rank'), ('reward', 'Reward model'), ('ppo', 'PPO'), ('dpo', 'DPO'), ('evaluate', 'Evaluate')], max_length=12)),
                ('place', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('ready', 'Ready'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='waiting', max_length=10)),
                ('waits_for', models.JSONField(blank=True, default=list)),
                ('campaign', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='stages', to='labeling.campaign')),
                ('job', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='training.job')),
                ('round', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stages', to='training.round')),
            ],
            options={
                'ordering': ['place'],
            },
        ),
        migrations.AddField(
            model_name='job',
            name='stage',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to='training.stage'),
        ),
        migrations.AddConstraint(
            model_name='checkpoint',
            constraint=models.UniqueConstraint(fields=('project', 'name'), name='checkpoint_name_once'),
        ),
        migrations.AddConstraint(
            model_name='metric',
            constraint=models.UniqueConstraint(fields=('job', 'step', 'split'), name='metric_once'),
        ),
        migrations.AddConstraint(
            model_name='round',
            constraint=models.UniqueConstraint(fields=('project', 'number'), name='round_number_once'),
        ),
        migrations.AddConstraint(
            model_name='round',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='round_number_from_1'),
        ),
        migrations.AddIndex(
            model_name='snapshot',
            index=models.Index(fields=['project', 'sha256'], name='training_sn_project_839ca4_idx'),
        ),
        migrations.AddConstraint(
            model_name='jobinput',
            constraint=models.UniqueConstraint(fields=('job', 'role'), name='job_input_role_once'),
        ),
        migrations.AddConstraint(
            model_name='jobinput',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('checkpoint__isnull', True), ('snapshot__isnull', False)), models.Q(('checkpoint__isnull', False), ('snapshot__isnull', True)), _connector='OR'), name='job_input_snapshot_or_checkpoint'),
        ),
        migrations.AddConstraint(
            model_name='stage',
            constraint=models.UniqueConstraint(fields=('round', 'kind'), name='stage_kind_once'),
        ),
        migrations.AddConstraint(
            model_name='stage',
            constraint=models.UniqueConstraint(fields=('round', 'place'), name='stage_place_once'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state', 'queued')), fields=['queue', 'id'], name='job_queued'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['lease_until'], name='job_running'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'running'), _negated=True), ('lease_until__isnull', False), _connector='OR'), name='job_running_has_lease'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['queued', 'running'])), fields=('stage',), name='job_one_active_a_stage'),
        ),
    ]
