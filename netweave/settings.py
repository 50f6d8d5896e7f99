"""Every setting of netweave, read once, here. Defaults are production's; docs/settings.md says what each is
for."""

from pathlib import Path

from netweave import environment as env
from netweave import redis
from netweave.logs import configure

BASE_DIR = Path(__file__).resolve().parent.parent

# --- who may talk to us, and how
# ---------------------------------------------------------------------------------
SECRET_KEY = env.text("SECRET_KEY")
DEBUG = False
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
DOCS_PUBLIC = env.flag("DOCS_PUBLIC")
# {apiRoot} in answers, and the origin of forms behind a TLS proxy; empty: where the request came in.
EXTERNAL_URL = env.text("EXTERNAL_URL", "").rstrip("/")
CSRF_TRUSTED_ORIGINS = ["/".join(EXTERNAL_URL.split("/")[:3])] if EXTERNAL_URL else []

# --- TLS of our own (`serve --tls`)
# ---------------------------------------------------------------------------------------------------------
TLS_CERTIFICATE = env.text("TLS_CERTIFICATE", "")
TLS_KEY = env.text("TLS_KEY", "")
TLS_CLIENT_CA = env.text("TLS_CLIENT_CA", "")
TLS_CLIENTS = env.choice("TLS_CLIENTS", ("optional", "none", "required"))
TLS_CRL = env.text("TLS_CRL", "")
# Of proxies that end TLS before us: their word on certificates and addresses is taken.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
REQUIRE_CLIENT_CERTIFICATE = env.flag("REQUIRE_CLIENT_CERTIFICATE", default=True)
CERTIFICATE_CN_SUFFIX = env.text("CERTIFICATE_CN_SUFFIX", "o2ims.example.com").strip(".")
CERTIFICATE_TRUST_DOMAIN = env.text("CERTIFICATE_TRUST_DOMAIN", "")
# Whose JWTs are believed: a YAML or JSON file (docs/security.md).
JWT_ISSUERS = env.jwt_issuers("JWT_ISSUERS")
TLS_MINIMUM = env.choice("TLS_MINIMUM", ("1.3", "1.2"))

# --- where things lie
# --------------------------------------------------------------------------------------------
GATEWAY_CONFIG = Path(env.text("GATEWAY_CONFIG", str(BASE_DIR / "config" / "gateway.yaml")))
_application = env.database("DATABASE_URL", env.text("DATABASE_URL"))
_owner = env.database("MIGRATE_DATABASE_URL", env.text("MIGRATE_DATABASE_URL", env.text("DATABASE_URL")))
_application["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 10, "timeout": 5}  # type: ignore[index]
DATABASES = {
    "default": {
        **_application,
        "TEST": {"MIRROR": "owner"},
    },  # the application's login: what every query uses
    "owner": _owner,  # the owner's login: migrations and pruning only
}
REDIS_SENTINELS = env.servers("REDIS_SENTINELS")
_sentinels = redis.Sentinels(
    tuple(REDIS_SENTINELS),
    env.text("REDIS_MASTER", "mymaster"),
    user=env.text("REDIS_SENTINEL_USER", ""),
    password=env.text("REDIS_SENTINEL_PASSWORD", ""),
)
REDIS_URL = env.text("REDIS_URL", "redis://sentinel/0" if REDIS_SENTINELS else None)
_redis_tls = redis.tls(
    REDIS_URL,
    ca=env.text("REDIS_CA", ""),
    certificate=env.text("REDIS_CERTIFICATE", ""),
    key=env.text("REDIS_KEY", ""),
)
CACHES = {"default": redis.cache(REDIS_URL, _sentinels, _redis_tls)}
CHANNEL_LAYERS = {"default": redis.layer(REDIS_URL, _sentinels, _redis_tls)}
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # straight from the packages: nothing to collect

# --- how long things last
# ----------------------------------------------------------------------------------------
CHANGE_RETENTION = env.duration("CHANGE_RETENTION", "7d")
TOMBSTONE_RETENTION = env.duration("TOMBSTONE_RETENTION", "1h")
COMPARE_INTERVAL = env.duration("COMPARE_INTERVAL", "10m")
# How long a write may take; after that a worker finds out what became of it.
OPERATION_LIMIT = env.duration("OPERATION_LIMIT", "60s")
HOLD_DELAY = env.duration("HOLD_DELAY", "30s")
DRAIN = env.duration("DRAIN", "5s")
# How long a client may take to send one request.
RECEIVE_TIMEOUT = env.duration("RECEIVE_TIMEOUT", "30s")
PRINCIPALS_OFFLINE = env.duration("PRINCIPALS_OFFLINE", "10m")

# --- who collects
# -----------------------------------------------------------------------------------------------------------
LEADER_LEASE = env.choice("LEADER_LEASE", ("postgres", "kubernetes"))  # kubernetes: a Lease object too
# Where the service account's token, ca.crt and namespace are; empty: where Kubernetes puts them.
LEADER_LEASE_SERVICE_ACCOUNT = env.text("LEADER_LEASE_SERVICE_ACCOUNT", "")

# --- tenants
# ------------------------------------------------------------------------------------------------------------
DEFAULT_QUOTAS = env.amounts("DEFAULT_QUOTAS")  # of tenants that have none of their own: maxResources=100,…
# How fast they may ask, as rate/burst; 0: as fast as they like. A tenant may have a limit of its own.
RATE_LIMIT_TENANT = env.rate("RATE_LIMIT_TENANT", "2000/4000")
RATE_LIMIT_USER = env.rate("RATE_LIMIT_USER", "1000/2000")
RATE_LIMIT_ADDRESS = env.rate("RATE_LIMIT_ADDRESS", "20/200")  # of who does not say who they are
RATE_LIMIT_PAGES = env.rate("RATE_LIMIT_PAGES", "20/400")  # of an address, for the admin site and /docs/
RATE_LIMIT_WITHOUT_REDIS = env.choice("RATE_LIMIT_WITHOUT_REDIS", ("open", "closed"))

# --- the audit trail
# ------------------------------------------------------------------------------------------------------------
AUDIT_READS = env.choice("AUDIT_READS", ("each", "summary", "off"))
AUDIT_RETENTION = env.duration("AUDIT_RETENTION", "400d")  # what `manage.py audit prune` keeps
AUDIT_KEYS = env.keys("AUDIT_KEYS")  # seals are signed with the first; without any, with one of SECRET_KEY's

# --- subscriptions
# ------------------------------------------------------------------------------------------------------------
SUBSCRIPTION_KEYS = env.keys("SUBSCRIPTION_KEYS")  # of secrets at rest; without any, one of SECRET_KEY's
# How many of Redis's replicas have to have a subscription before its 201.
REDIS_REPLICAS = env.count("REDIS_REPLICAS", 1 if REDIS_SENTINELS else 0)
ALLOW_LOOPBACK_CALLBACKS = env.flag("ALLOW_LOOPBACK_CALLBACKS")  # and plain HTTP: the demo and tests only
# Private networks in which subscribers live, and those of ours where none does.
CALLBACK_NETWORKS = env.networks("CALLBACK_NETWORKS")
CALLBACK_FORBIDDEN_NETWORKS = env.networks("CALLBACK_FORBIDDEN_NETWORKS")
CALLBACK_MUST_MATCH_SAN = env.flag("CALLBACK_MUST_MATCH_SAN")
CALLBACK_CHECK = env.choice("CALLBACK_CHECK", ("warn", "strict", "off"))  # a GET of it, at registration
CALLBACK_CA = env.text("CALLBACK_CA", "")
CALLBACK_CERTIFICATE = env.text("CALLBACK_CERTIFICATE", "")
CALLBACK_KEY = env.text("CALLBACK_KEY", "")
DELIVERY_RETENTION = env.duration("DELIVERY_RETENTION", "7d")
DELIVERY_BACKLOG = env.count("DELIVERY_BACKLOG", 1_000_000)  # waiting deliveries of one subscription
DELIVERY_RATE = env.count("DELIVERY_RATE", 50)  # a second and subscription
DELIVERY_HASTE = env.count("DELIVERY_HASTE", 1)  # by how much the schedule is run faster: tests and benches

# --- Django
# ------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "netweave.site.NetweaveAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_prometheus",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "tenancy",
    "o2ims",
    "subscriptions",
    "netweave",
]
MIDDLEWARE = [  # all synchronous: one contiguous block, one hop to a thread a request
    "django.middleware.security.SecurityMiddleware",
    "netweave.static.StaticFiles",
    "api.compression.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tenancy.middleware.AuditMiddleware",
    "netweave.page_rates.PageRates",
    "tenancy.middleware.IdentityMiddleware",
]
ROOT_URLCONF = "netweave.urls"
ASGI_APPLICATION = "netweave.asgi.application"
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
            ]
        },
    }
]
AUTH_USER_MODEL = "tenancy.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
# Guesses at the login of the admin site are counted first (netweave/guesses.py), by django-axes' hooks.
AUTHENTICATION_BACKENDS = ["netweave.guesses.Counting", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER = "netweave.guesses.Guesses"
AXES_CLIENT_IP_CALLABLE = "netweave.guesses.address"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username"]
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
MIGRATION_MODULES = {"axes": None}  # the counts are in Redis: no tables
# A code beside the password, for whoever signs in (tenancy/second_factor.py, by django-otp).
REQUIRE_TOTP = env.flag("REQUIRE_TOTP", default=True)
OTP_TOTP_ISSUER = "netweave"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

PLAIN_HTTP = env.flag("ALLOW_PLAIN_HTTP")  # people sign in over plain HTTP: the demo and tests only
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not PLAIN_HTTP
SESSION_COOKIE_NAME = "session" if PLAIN_HTTP else "__Host-session"
CSRF_COOKIE_NAME = "csrf" if PLAIN_HTTP else "__Host-csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True  # forms carry it; no script needs it
SESSION_COOKIE_AGE = 8 * 3600
# Only over TLS of our own: a proxy in front says it for itself.
SECURE_HSTS_SECONDS = 0 if PLAIN_HTTP else 365 * 86400
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SILENCED_SYSTEM_CHECKS = [
    "axes.W002",  # its middleware would tell who is locked out
    "security.W008",  # a token in clear is lost before any redirect: netweave/exposure.py refuses to start
    "security.W021",  # browsers' preload lists: for whoever owns the whole domain to decide
]
# What a page may load and who may frame it: Django 6's setting, sent by netweave/front.py with every answer.
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],  # the arrows of Swagger UI
    "frame-ancestors": ["'none'"],
    "base-uri": ["'self'"],
    "form-action": ["'self'"],
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenancy.authentication.MiddlewareAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenancy.guard.Permitted"],
    "DEFAULT_RENDERER_CLASSES": ["api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "netweave.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "netweave.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "netweave",
    "DESCRIPTION": "One O-RAN O2 gateway in front of every infrastructure.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "tryItOutEnabled": True},
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["tenancy.guard.MayReadDocs"],
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": ["netweave.docs.complete"],
}

LOGGING_CONFIG = None
configure(level=env.text("LOG_LEVEL", "INFO"))
