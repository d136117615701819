import django.contrib.auth.models
import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Guideline',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('prompt', 'Prompt'), ('demonstration', 'Demonstration'), ('ranking', 'Ranking'), ('rating', 'Rating')], max_length=20)),
                ('version', models.PositiveIntegerField()),
                ('body', models.TextField(help_text='markdown')),
                ('flags', models.JSONField(blank=True, default=list)),
                ('scales', models.JSONField(blank=True, default=list)),
                ('published_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['kind', '-version'],
            },
        ),
        migrations.CreateModel(
            name='Project',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('slug', models.CharField(max_length=60, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9]+(-[a-z0-9]+)*\\Z', 'Lower-case letters, digits and single hyphens.')])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'abstract': False,
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('kind', models.CharField(choices=[('prompt', 'Prompt'), ('demonstration', 'Demonstration'), ('ranking', 'Ranking'), ('rating', 'Rating')], max_length=20)),
                ('overlap', models.PositiveSmallIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)])),
                ('required', models.JSONField(blank=True, default=list)),
                ('lease_minutes', models.PositiveIntegerField(default=30, validators=[django.core.validators.MinValueValidator(1)])),
                ('skip_policy', models.CharField(choices=[('to_others', 'To Others'), ('back_later', 'Back Later')], default='to_others', max_length=12)),
                ('correction_minutes', models.PositiveIntegerField(default=60, help_text='how long a submission can be corrected by its labeler')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('open', 'Open'), ('paused', 'Paused'), ('closed', 'Closed')], default='draft', max_length=10)),
                ('imported', models.BooleanField(default=False, help_text='holds judgments that came from a file; never handed out')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('guideline', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='campaigns', to='labeling.guideline')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='campaigns', to='labeling.project')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Labeler',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pseudonym', models.CharField(max_length=120)),
                ('source', models.CharField(choices=[('member', 'Member'), ('imported', 'Imported'), ('simulated', 'Simulated')], max_length=20)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='labelers', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('occurrence', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('live', 'Live'), ('submitted', 'Submitted'), ('skipped', 'Skipped'), ('expired', 'Expired')], default='live', max_length=10)),
                ('lease_token', models.UUIDField(default=uuid.uuid4)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('skipped_until', models.DateTimeField(blank=True, null=True)),
                ('skip_reason', models.CharField(blank=True, max_length=500)),
                ('order', models.JSONField(default=list)),
                ('draft', models.JSONField(blank=True, default=dict)),
                ('draft_saved_at', models.DateTimeField(blank=True, null=True)),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='labeling.campaign')),
                ('labeler', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='labeling.labeler')),
            ],
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('researcher', 'Researcher'), ('reviewer', 'Reviewer'), ('labeler', 'Labeler'), ('customer', 'Customer'), ('engineer', 'Engineer')], max_length=20)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='labeling.project')),
            ],
        ),
        migrations.AddField(
            model_name='labeler',
            name='membership',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='labeler', to='labeling.membership'),
        ),
        migrations.AddField(
            model_name='labeler',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='labelers', to='labeling.project'),
        ),
        migrations.AddField(
            model_name='guideline',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='guidelines', to='labeling.project'),
        ),
        migrations.CreateModel(
            name='Generator',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('kind', models.CharField(choices=[('base', 'Base'), ('sft', 'SFT'), ('policy', 'Policy'), ('external', 'External')], max_length=20)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='generators', to='labeling.project')),
            ],
        ),
        migrations.CreateModel(
            name='ProjectToken',
            fields=[
                ('digest', models.CharField(max_length=128, primary_key=True, serialize=False)),
                ('token_key', models.CharField(db_index=True, max_length=25)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('expiry', models.DateTimeField(blank=True, null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='labeling.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='auth_token_set', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Prompt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('messages', models.JSONField()),
                ('use_case', models.CharField(choices=[('generation', 'Generation'), ('open_qa', 'open QA'), ('brainstorming', 'Brainstorming'), ('chat', 'Chat'), ('rewrite', 'Rewrite'), ('summarization', 'Summarization'), ('classification', 'Classification'), ('other', 'Other'), ('closed_qa', 'closed QA'), ('extract', 'Extract')], default='other', max_length=20)),
                ('style', models.CharField(choices=[('plain', 'Plain'), ('few_shot', 'few-shot'), ('user_based', 'user-based')], default='plain', max_length=20)),
                ('origin', models.CharField(choices=[('labeler', 'Labeler'), ('customer', 'Customer'), ('import', 'Import'), ('simulated', 'Simulated')], max_length=20)),
                ('group_key', models.CharField(max_length=200)),
                ('consent', models.CharField(blank=True, help_text='the words a customer agreed to, or empty', max_length=200)),
                ('language', models.CharField(default='en', max_length=20)),
                ('split', models.CharField(choices=[('train', 'Train'), ('valid', 'Valid'), ('test', 'Test')], max_length=10)),
                ('fingerprint', models.CharField(max_length=64)),
                ('external_id', models.CharField(blank=True, max_length=200)),
                ('personal_data', models.JSONField(blank=True, default=list)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prompts', to='labeling.project')),
            ],
        ),
        migrations.CreateModel(
            name='SignInLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_in_links', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Submission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('key', models.UUIDField()),
                ('counted', models.BooleanField()),
                ('verdict', models.CharField(blank=True, choices=[('none_acceptable', 'None Acceptable')], max_length=20)),
                ('strength', models.PositiveSmallIntegerField(blank=True, help_text='0 to 2, for two responses only', null=True)),
                ('note', models.TextField(blank=True)),
                ('active_ms', models.PositiveBigIntegerField(blank=True, null=True)),
                ('submitted_at', models.DateTimeField()),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('assignment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='submissions', to='labeling.assignment')),
                ('guideline', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='submissions', to='labeling.guideline')),
            ],
        ),
        migrations.CreateModel(
            name='Response',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('sampling', models.JSONField(blank=True, default=dict, help_text='temperature, seed and the like')),
                ('token_count', models.PositiveIntegerField(blank=True, null=True)),
                ('finish_reason', models.CharField(blank=True, help_text='stop, length or empty where unknown', max_length=10)),
                ('review_state', models.CharField(choices=[('unreviewed', 'Unreviewed'), ('accepted', 'Accepted'), ('returned', 'Returned')], default='unreviewed', max_length=12)),
                ('judged_only', models.BooleanField(default=False, help_text="a person's text that came in to be judged, not to be imitated")),
                ('external_id', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('generator', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='responses', to='labeling.generator')),
                ('labeler', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='responses', to='labeling.labeler')),
                ('prompt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='responses', to='labeling.prompt')),
                ('submission', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='responses', to='labeling.submission')),
            ],
        ),
        migrations.AddField(
            model_name='prompt',
            name='submission',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='prompts', to='labeling.submission'),
        ),
        migrations.CreateModel(
            name='Judgment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rank', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('ratings', models.JSONField(blank=True, default=dict)),
                ('flags', models.JSONField(blank=True, default=dict)),
                ('note', models.TextField(blank=True)),
                ('response', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='judgments', to='labeling.response')),
                ('submission', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='judgments', to='labeling.submission')),
            ],
            options={
                'ordering': [models.OrderBy(models.F('rank'), nulls_last=True), 'pk'],
            },
        ),
        migrations.AddField(
            model_name='assignment',
            name='current_submission',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='labeling.submission'),
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('overlap', models.PositiveSmallIntegerField()),
                ('open_slots', models.PositiveSmallIntegerField()),
                ('position', models.BigIntegerField()),
                ('returned', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='labeling.campaign')),
                ('prompt', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='labeling.prompt')),
            ],
            options={
                'ordering': ['position'],
            },
        ),
        migrations.CreateModel(
            name='ImportedRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20)),
                ('external_id', models.CharField(max_length=400)),
                ('digest', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='imported_records', to='labeling.project')),
                ('prompt', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='imported_as', to='labeling.prompt')),
                ('response', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='imported_as', to='labeling.response')),
                ('task', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='imported_as', to='labeling.task')),
            ],
        ),
        migrations.AddField(
            model_name='assignment',
            name='task',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='labeling.task'),
        ),
        migrations.CreateModel(
            name='TaskResponse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveSmallIntegerField()),
                ('response', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='shown_in', to='labeling.response')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shown', to='labeling.task')),
            ],
            options={
                'ordering': ['place'],
            },
        ),
        migrations.AddField(
            model_name='task',
            name='responses',
            field=models.ManyToManyField(related_name='tasks', through='labeling.TaskResponse', to='labeling.response'),
        ),
        migrations.CreateModel(
            name='ClaimCursor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.BigIntegerField(default=-1)),
                ('nothing_until', models.DateTimeField(blank=True, null=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cursors', to='labeling.campaign')),
                ('labeler', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cursors', to='labeling.labeler')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('campaign', 'labeler'), name='cursor_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.UniqueConstraint(fields=('user', 'project'), name='membership_one_role_per_project'),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'researcher', 'reviewer', 'labeler', 'customer', 'engineer'])), name='membership_role_known'),
        ),
        migrations.AddConstraint(
            model_name='labeler',
            constraint=models.UniqueConstraint(fields=('project', 'pseudonym'), name='labeler_pseudonym_once'),
        ),
        migrations.AddConstraint(
            model_name='labeler',
            constraint=models.CheckConstraint(condition=models.Q(('source', 'member'), ('membership__isnull', True), _connector='OR'), name='labeler_membership_only_for_members'),
        ),
        migrations.AddConstraint(
            model_name='labeler',
            constraint=models.UniqueConstraint(condition=models.Q(('user__isnull', False)), fields=('project', 'user'), name='labeler_user_once'),
        ),
        migrations.AddConstraint(
            model_name='labeler',
            constraint=models.CheckConstraint(condition=models.Q(('source', 'member'), ('user__isnull', True), _connector='OR'), name='labeler_user_only_for_members'),
        ),
        migrations.AddConstraint(
            model_name='guideline',
            constraint=models.UniqueConstraint(fields=('project', 'kind', 'version'), name='guideline_version_once'),
        ),
        migrations.AddConstraint(
            model_name='guideline',
            constraint=models.CheckConstraint(condition=models.Q(('version__gte', 1)), name='guideline_version_from_1'),
        ),
        migrations.AddConstraint(
            model_name='generator',
            constraint=models.UniqueConstraint(fields=('project', 'name'), name='generator_name_once'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.UniqueConstraint(fields=('project', 'name'), name='campaign_name_once'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('overlap__gte', 1)), name='campaign_overlap_from_1'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('lease_minutes__gte', 1)), name='campaign_lease_from_1'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('imported', True), ('state', 'open'), _negated=True), name='campaign_imported_is_not_handed_out'),
        ),
        migrations.AddIndex(
            model_name='submission',
            index=models.Index(fields=['submitted_at'], name='labeling_su_submitt_77116a_idx'),
        ),
        migrations.AddConstraint(
            model_name='submission',
            constraint=models.UniqueConstraint(fields=('assignment', 'number'), name='submission_number_once'),
        ),
        migrations.AddConstraint(
            model_name='submission',
            constraint=models.UniqueConstraint(fields=('assignment', 'key'), name='submission_key_once'),
        ),
        migrations.AddConstraint(
            model_name='submission',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='submission_number_from_1'),
        ),
        migrations.AddConstraint(
            model_name='submission',
            constraint=models.CheckConstraint(condition=models.Q(('strength__isnull', True), ('strength__lte', 2), _connector='OR'), name='submission_strength'),
        ),
        migrations.AddIndex(
            model_name='response',
            index=models.Index(fields=['prompt', 'generator'], name='labeling_re_prompt__5ba2a9_idx'),
        ),
        migrations.AddConstraint(
            model_name='response',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('generator__isnull', False), ('labeler__isnull', True)), models.Q(('generator__isnull', True), ('labeler__isnull', False)), _connector='OR'), name='response_by_a_generator_or_a_person'),
        ),
        migrations.AddIndex(
            model_name='prompt',
            index=models.Index(fields=['project', 'split'], name='labeling_pr_project_f512e2_idx'),
        ),
        migrations.AddIndex(
            model_name='prompt',
            index=models.Index(fields=['project', 'external_id'], name='labeling_pr_project_2fe970_idx'),
        ),
        migrations.AddIndex(
            model_name='prompt',
            index=models.Index(fields=['project', 'group_key'], name='labeling_pr_project_65cba8_idx'),
        ),
        migrations.AddConstraint(
            model_name='prompt',
            constraint=models.UniqueConstraint(fields=('project', 'fingerprint'), name='prompt_fingerprint_once'),
        ),
        migrations.AddConstraint(
            model_name='prompt',
            constraint=models.CheckConstraint(condition=models.Q(('split__in', ['train', 'valid', 'test'])), name='prompt_split_known'),
        ),
        migrations.AddConstraint(
            model_name='prompt',
            constraint=models.CheckConstraint(condition=models.Q(('group_key', ''), _negated=True), name='prompt_has_a_group'),
        ),
        migrations.AddConstraint(
            model_name='judgment',
            constraint=models.UniqueConstraint(fields=('submission', 'response'), name='judgment_once'),
        ),
        migrations.AddConstraint(
            model_name='judgment',
            constraint=models.CheckConstraint(condition=models.Q(('rank__isnull', True), ('rank__gte', 1), _connector='OR'), name='judgment_rank_from_1'),
        ),
        migrations.AddConstraint(
            model_name='judgment',
            constraint=models.CheckConstraint(condition=models.Q(('ratings__overall__gte', 1), ('ratings__overall__lte', 7)), name='judgment_overall_1_to_7'),
        ),
        migrations.AddConstraint(
            model_name='judgment',
            constraint=models.CheckConstraint(condition=models.Q(('ratings__appropriate__gte', 1), ('ratings__appropriate__lte', 7)), name='judgment_appropriate_1_to_7'),
        ),
        migrations.AddConstraint(
            model_name='judgment',
            constraint=models.CheckConstraint(condition=models.Q(('ratings__helpful__gte', 1), ('ratings__helpful__lte', 7)), name='judgment_helpful_1_to_7'),
        ),
        migrations.AddConstraint(
            model_name='judgment',
            constraint=models.CheckConstraint(condition=models.Q(('ratings__on_topic__gte', 1), ('ratings__on_topic__lte', 7)), name='judgment_on_topic_1_to_7'),
        ),
        migrations.AddConstraint(
            model_name='importedrecord',
            constraint=models.UniqueConstraint(fields=('project', 'kind', 'external_id'), name='imported_record_once'),
        ),
        migrations.AddConstraint(
            model_name='importedrecord',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'prompt'), ('prompt__isnull', False), ('response__isnull', True), ('task__isnull', True)), models.Q(('kind', 'demonstration'), ('prompt__isnull', True), ('response__isnull', False), ('task__isnull', True)), models.Q(('kind__in', ['candidates', 'ranking', 'comparison', 'rating']), ('prompt__isnull', True), ('response__isnull', True), ('task__isnull', False)), _connector='OR'), name='imported_record_became_one_row'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('state', 'live')), fields=['lease_until'], name='assignment_live_leases'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(fields=['labeler', 'campaign', 'state'], name='labeling_as_labeler_2f4272_idx'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(fields=('task', 'labeler', 'occurrence'), name='assignment_once'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'live')), fields=('campaign', 'labeler'), name='assignment_one_live_a_campaign'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'live'), _negated=True), ('lease_until__isnull', False), _connector='OR'), name='assignment_live_has_lease'),
        ),
        migrations.AddConstraint(
            model_name='taskresponse',
            constraint=models.UniqueConstraint(fields=('task', 'response'), name='task_response_once'),
        ),
        migrations.AddConstraint(
            model_name='taskresponse',
            constraint=models.UniqueConstraint(fields=('task', 'place'), name='task_place_once'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('open_slots__gt', 0)), fields=['campaign', 'position'], name='task_open'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('open_slots__gt', 0), ('returned', True)), fields=['campaign', 'position'], name='task_returned'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.UniqueConstraint(fields=('campaign', 'position'), name='task_position_once'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Q(('open_slots__gte', 0), ('open_slots__lte', models.F('overlap'))), name='task_open_slots_within_overlap'),
        ),
    ]
