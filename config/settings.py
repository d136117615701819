"""Settings: values only.

ACCORD_MODE=local (the default) is the one-command start on this machine: SQLite, no Redis, a generated secret, only
loopback hosts. ACCORD_MODE=production takes everything from the environment and refuses to start unsafe.
"""

from hashlib import sha256
from pathlib import Path

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured

from config.env import read_bool, read_database, read_int, read_list, read_networks, read_path, read_text
from config.local_secret import read_or_make_secret
from config.shared_metrics import use_folder

BASE_DIR = Path(__file__).resolve().parent.parent

MODE = read_text("ACCORD_MODE", "local")
if MODE not in {"local", "production"}:
    raise ImproperlyConfigured(f"ACCORD_MODE is {MODE!r}; expected local or production")
LOCAL = MODE == "local"

# Where everything that is not code lives: the local database, run folders, snapshots.
STATE_DIR = read_path("ACCORD_STATE_DIR", BASE_DIR / "var")
RUNS_DIR = read_path("ACCORD_RUNS_DIR", STATE_DIR / "runs")
SNAPSHOTS_DIR = read_path("ACCORD_SNAPSHOTS_DIR", STATE_DIR / "snapshots")
# Files of prepared exports, and uploads that wait to be imported; the web server and the workers share them.
EXPORTS_DIR = read_path("ACCORD_EXPORTS_DIR", STATE_DIR / "exports")
IMPORTS_DIR = read_path("ACCORD_IMPORTS_DIR", STATE_DIR / "imports")
# Base models that a round may start from: folders (or links to folders) below this one, and nothing outside it.
MODELS_DIR = read_path("ACCORD_MODELS_DIR", STATE_DIR / "models")

DEBUG = read_bool("ACCORD_DEBUG", default=False)
SECRET_KEY = read_text("ACCORD_SECRET_KEY")
ALLOWED_HOSTS = read_list("ACCORD_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]" if LOCAL else "")
CSRF_TRUSTED_ORIGINS = read_list("ACCORD_TRUSTED_ORIGINS")

if LOCAL and not SECRET_KEY:
    SECRET_KEY = read_or_make_secret(STATE_DIR / "secret_key")
if not LOCAL:
    if len(SECRET_KEY) < 32:
        raise ImproperlyConfigured(
            f"ACCORD_SECRET_KEY has {len(SECRET_KEY)} characters; production needs a random one of at least 32"
        )
    if SECRET_KEY.startswith("django-insecure-") or len(set(SECRET_KEY)) < 8:
        raise ImproperlyConfigured(
            "ACCORD_SECRET_KEY can be guessed: it is an example's, or one word again and again; production needs a "
            "random one of at least 32 characters"
        )
    if DEBUG:
        raise ImproperlyConfigured("ACCORD_DEBUG is on; production shows no tracebacks to visitors, switch it off")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            f"ACCORD_ALLOWED_HOSTS is {','.join(ALLOWED_HOSTS)!r}; production needs the host names it serves, not *"
        )

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "labeling",
    "training",
]

MIDDLEWARE = [
    "config.requests.Accounted",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "labeling.sessions.Seen",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "labeling.places.place_of_request",
                "labeling.sign_in.doors",
            ],
        },
    }
]

# Behind PgBouncer in transaction mode (docs/operators.md).
POOLED = read_bool("ACCORD_POOLED", default=False)
DATABASES = {
    "default": read_database("DATABASE_URL", sqlite_path=STATE_DIR / "accord.sqlite3", pooled=POOLED),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if not LOCAL and "sqlite" in DATABASES["default"]["ENGINE"]:
    raise ImproperlyConfigured(
        f"DATABASE_URL is {read_text('DATABASE_URL')!r}; production needs PostgreSQL, postgresql://user@host:5432/NAME"
    )

REDIS_URL = read_text("REDIS_URL")
if not LOCAL and not REDIS_URL:
    raise ImproperlyConfigured("REDIS_URL is empty; production needs Redis, for example redis://127.0.0.1:6379/0")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# --- people -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "labeling.User"
AUTHENTICATION_BACKENDS = [
    "labeling.backends.ByUserName",
    "labeling.backends.ByNameOrAddress",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "labeling.sign_in.InvitedOnlyAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# --- second factors (labeling/second_factors.py, labeling/enrolling.py) ---
MFA_ADAPTER = "labeling.enrolling.SecondFactors"
MFA_FORMS = {
    "activate_totp": "labeling.enrolling.ActivateForm",
    "add_webauthn": "labeling.enrolling.PasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
# A code holds for its half minute and no longer: each one beside it would be another that a guess can hit.
MFA_TOTP_TOLERANCE = 0
# A browser gives passkeys to http://localhost too; production is served by HTTPS alone.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOCAL
# Roles that open a project's pages only with a second factor, in every project: owner,researcher.
SECOND_FACTOR_ROLES = read_list("ACCORD_SECOND_FACTOR")
if unknown := set(SECOND_FACTOR_ROLES) - {"owner", "researcher", "reviewer", "labeler", "customer", "engineer"}:
    raise ImproperlyConfigured(
        f"ACCORD_SECOND_FACTOR names {min(unknown)!r}; expected roles, comma separated, for example owner,researcher"
    )
# --- single sign-on (labeling/single_sign_on.py) ---
SINGLE_SIGN_ON = ""
"""By which the provider is named in addresses and rows: made of its own address, since another provider's names of
people are other people."""
SINGLE_SIGN_ON_NAME = read_text("ACCORD_OIDC_NAME") or "single sign-on"
SINGLE_SIGN_ON_DOMAINS = [domain.lower().lstrip("@") for domain in read_list("ACCORD_OIDC_DOMAINS")]
SOCIALACCOUNT_ADAPTER = "labeling.single_sign_on.SingleSignOn"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_PROVIDERS = {}
if OIDC_ISSUER := read_text("ACCORD_OIDC_ISSUER").rstrip("/"):
    OIDC_CLIENT, OIDC_SECRET = read_text("ACCORD_OIDC_CLIENT_ID"), read_text("ACCORD_OIDC_SECRET")
    if not OIDC_ISSUER.startswith("https://" if not LOCAL else ("https://", "http://")):
        raise ImproperlyConfigured(
            f"ACCORD_OIDC_ISSUER is {OIDC_ISSUER!r}; expected https://…, for what it says is believed as it comes"
        )
    if not OIDC_CLIENT or not OIDC_SECRET:
        raise ImproperlyConfigured("ACCORD_OIDC_CLIENT_ID and ACCORD_OIDC_SECRET are needed with ACCORD_OIDC_ISSUER")
    SINGLE_SIGN_ON = f"sso-{sha256(OIDC_ISSUER.encode()).hexdigest()[:8]}"
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": SINGLE_SIGN_ON, "name": SINGLE_SIGN_ON_NAME, "client_id": OIDC_CLIENT,
                    "secret": OIDC_SECRET, "settings": {"server_url": OIDC_ISSUER},
                }
            ],
        }
    }  # fmt: skip
# Mail (invitations, forgotten passwords) goes to a server where one is named, else to the terminal.
EMAIL_HOST = read_text("ACCORD_EMAIL_HOST")
EMAIL_BACKEND = read_text(
    "ACCORD_EMAIL_BACKEND",
    f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend",
)
# TLS from the first byte (port 465 by custom), in place of STARTTLS on a connection that begins in clear.
EMAIL_USE_SSL = read_bool("ACCORD_EMAIL_SSL", default=False)
EMAIL_USE_TLS = read_bool("ACCORD_EMAIL_STARTTLS", default=True) and not EMAIL_USE_SSL
EMAIL_PORT = read_int("ACCORD_EMAIL_PORT", default=465 if EMAIL_USE_SSL else 587, at_least=1)
EMAIL_HOST_USER = read_text("ACCORD_EMAIL_USER")
EMAIL_HOST_PASSWORD = read_text("ACCORD_EMAIL_PASSWORD")
EMAIL_TIMEOUT = 10
# Where people reach the pages, for links in mail that no request asked for; without it a link has no host.
SITE_URL = read_text("ACCORD_URL").rstrip("/")
if SITE_URL and not SITE_URL.startswith(("https://", "http://")):
    raise ImproperlyConfigured(f"ACCORD_URL is {SITE_URL!r}; expected an address such as https://accord.example.org")
EMAIL_FROM = read_text("ACCORD_EMAIL_FROM")
DEFAULT_FROM_EMAIL = EMAIL_FROM or "accord@localhost"
if not LOCAL and EMAIL_HOST and not EMAIL_FROM:
    raise ImproperlyConfigured(
        f"ACCORD_EMAIL_FROM is empty, and ACCORD_EMAIL_HOST is {EMAIL_HOST!r}; name the sender, accord@example.org"
    )
if not LOCAL and EMAIL_HOST_PASSWORD and not (EMAIL_USE_TLS or EMAIL_USE_SSL):
    raise ImproperlyConfigured(
        "ACCORD_EMAIL_PASSWORD would go over the network in clear, for ACCORD_EMAIL_SSL and ACCORD_EMAIL_STARTTLS are "
        "off; switch on the one that the server speaks"
    )

SESSION_ENGINE = "labeling.backends"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if not LOCAL:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = read_bool("ACCORD_SSL_REDIRECT", default=True)
    # A container or balancer asks over plain HTTP from inside.
    SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
    SECURE_HSTS_SECONDS = read_int("ACCORD_HSTS_SECONDS", default=60 * 60 * 24 * 30, at_least=0)
    # Whether other names below the host are HTTPS too, and for good in every browser, is not for one site to say.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# What a reverse proxy says in X-Forwarded-For and X-Forwarded-Proto is believed of these addresses alone
# (config/proxies.py); else whoever asks could choose the address that is counted, and pass for HTTPS.
PROXIES = read_networks("ACCORD_PROXIES")
if read_text("ACCORD_BEHIND_PROXY"):
    raise ImproperlyConfigured(
        "ACCORD_BEHIND_PROXY is no setting any more, for it believed everybody; name the reverse proxy's address or "
        "network in ACCORD_PROXIES, for example 127.0.0.1/32, and take ACCORD_BEHIND_PROXY out"
    )

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- pages ------------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
# A folder in locale/ adds a language, and each visitor reads the site in theirs (docs/translating.md).
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGES = [
    (code, code) for code in sorted({"en", *(path.parent.name for path in LOCALE_PATHS[0].glob("*/LC_MESSAGES"))})
]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Local pages are served straight from static/; production collects them first (manage.py collectstatic).
STATIC_ROOT = None if LOCAL else STATE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage" if LOCAL else "config.static_files.HashedFiles"
        )
    },
}
WHITENOISE_USE_FINDERS = LOCAL
# A text of 20,000 tokens with its markup fits; a body of 50 MB does not.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- API --------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["labeling.api.authentication.ProjectTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["labeling.api.reading.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["labeling.api.limits.TokenRate"],
    "DEFAULT_SCHEMA_CLASS": "labeling.api.describing.Described",
    "EXCEPTION_HANDLER": "labeling.api.errors.answer",
}
# Of one token, whatever it asks for; a bulk of 10,000 prompts is one request.
API_REQUESTS_PER_MINUTE = read_int("ACCORD_API_REQUESTS_PER_MINUTE", default=600, at_least=1)
KNOX_TOKEN_MODEL = "labeling.ProjectToken"  # noqa: S105, the name of a model
# The table of tokens is ours; knox's own migrations would make a second one that nothing uses and nothing empties.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"AUTO_REFRESH": False, "TOKEN_TTL": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Accord",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": ["labeling.api.describing.with_errors"],
}

# --- requests of our own ----------------------------------------------------------------------------------------------
# Webhooks and imports by URL reach the internet, and of private networks only these (labeling/outbound.py).
OUTBOUND_NETWORKS = read_networks("ACCORD_OUTBOUND_NETWORKS")

# --- jobs -------------------------------------------------------------------------------------------------------------
# The Job row is the truth; Celery only rings. Without Redis a worker polls the table (manage.py work).
JOB_LEASE_SECONDS = read_int("ACCORD_JOB_LEASE_SECONDS", default=60, at_least=5)
# How long a stage that was told to stop may take to write its checkpoint, before it is killed.
JOB_STOP_SECONDS = read_int("ACCORD_JOB_STOP_SECONDS", default=25 if LOCAL else 600, at_least=1)
# Without a step for so long an alarm is raised; without a sign of life of its process a stage is ended and tried again.
JOB_STALL_SECONDS = read_int("ACCORD_JOB_STALL_SECONDS", default=600, at_least=5)
CELERY_BROKER_URL = REDIS_URL or None
# A page that rings waits no longer than this for a Redis that does not answer; a sweep rings again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 3}
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "cpu"
# Queues of their own: behind a stage that takes days no slot would come back, no round move on, nobody simulated work;
# behind a file of a million rows no webhook would leave; behind an address that does not answer, nothing else.
CELERY_TASK_ROUTES = {
    "training.tasks.tend": {"queue": "tend"},
    "training.tasks.count_anew": {"queue": "tend"},
    "training.tasks.send_webhooks": {"queue": "webhooks"},
    "labeling.tasks.move_files": {"queue": "files"},
}
CELERY_BEAT_SCHEDULE = {
    "tend": {"task": "training.tasks.tend", "schedule": 30.0, "options": {"expires": 30}},
    "count_anew": {"task": "training.tasks.count_anew", "schedule": crontab(hour="3", minute="17")},
    "send_webhooks": {"task": "training.tasks.send_webhooks", "schedule": 5.0, "options": {"expires": 5}},
    "move_files": {"task": "labeling.tasks.move_files", "schedule": 30.0, "options": {"expires": 30}},
}

# --- watching ---------------------------------------------------------------------------------------------------------
# /metrics answers nobody until one of the two says who may read it (config/metrics.py).
METRICS_TOKEN = read_text("ACCORD_METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured(f"ACCORD_METRICS_TOKEN has {len(METRICS_TOKEN)} characters; expected at least 20")
METRICS_NETWORKS = read_networks("ACCORD_METRICS_NETWORKS")
# Web processes of one host count into files there, and whichever is asked answers for all of them. To be emptied when
# the server starts, as /run and /tmp are.
if METRICS_DIR := read_text("ACCORD_METRICS_DIR"):
    use_folder(Path(METRICS_DIR))

LOG_FORMAT = read_text("ACCORD_LOG_FORMAT") or ("line" if LOCAL else "json")
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured(f"ACCORD_LOG_FORMAT is {LOG_FORMAT!r}; expected line or json")
LOG_LEVEL = read_text("ACCORD_LOG_LEVEL") or "WARNING"
# Celery's own lines go where all others go.
CELERY_WORKER_HIJACK_ROOT_LOGGER = LOG_FORMAT == "line"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "config.logs.Lines"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handler for it mails tracebacks with all they hold; ours is the root's.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # A line for every request: in production only, where a machine reads them.
        "accord.requests": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
    },
}
