"""Triggers by which the database itself refuses to change or delete entries, whoever asks through whatever program.

They stop accidents and SQL that was smuggled in. Who owns the tables can drop them; the chain shows what they did then
(labeling/audit/verifying.py).
"""

from django.db.backends.base.base import BaseDatabaseWrapper

SAYS = "the audit log is append only"
POSTGRES = f"""
CREATE OR REPLACE FUNCTION labeling_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{SAYS}'; END $$;
CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON labeling_auditentry
FOR EACH ROW EXECUTE FUNCTION labeling_audit_refuse();
CREATE TRIGGER audit_entries_stay BEFORE TRUNCATE ON labeling_auditentry
FOR EACH STATEMENT EXECUTE FUNCTION labeling_audit_refuse();
CREATE TRIGGER audit_head_stays BEFORE DELETE ON labeling_audithead
FOR EACH ROW EXECUTE FUNCTION labeling_audit_refuse();
CREATE TRIGGER audit_heads_stay BEFORE TRUNCATE ON labeling_audithead
FOR EACH STATEMENT EXECUTE FUNCTION labeling_audit_refuse();
CREATE TRIGGER audit_head_grows BEFORE UPDATE ON labeling_audithead
FOR EACH ROW WHEN (NEW.number <= OLD.number) EXECUTE FUNCTION labeling_audit_refuse();
"""
ON = {
    "audit_entry_stays": "labeling_auditentry",
    "audit_entries_stay": "labeling_auditentry",
    "audit_head_stays": "labeling_audithead",
    "audit_heads_stay": "labeling_audithead",
    "audit_head_grows": "labeling_audithead",
}
SQLITE = {
    "audit_entry_stays": "BEFORE UPDATE ON labeling_auditentry",
    "audit_entries_stay": "BEFORE DELETE ON labeling_auditentry",
    "audit_head_stays": "BEFORE DELETE ON labeling_audithead",
    "audit_head_grows": "BEFORE UPDATE ON labeling_audithead WHEN NEW.number <= OLD.number",
}


def make_guards(connection: BaseDatabaseWrapper) -> None:
    for statement in making(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def drop_guards(connection: BaseDatabaseWrapper) -> None:
    for statement in dropping(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def making(vendor: str) -> list[str]:
    if vendor == "postgresql":
        return [POSTGRES]
    return [f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{SAYS}'); END" for name, when in SQLITE.items()]


def dropping(vendor: str) -> list[str]:
    if vendor == "postgresql":
        return [f"DROP TRIGGER {name} ON {table}" for name, table in ON.items()]
    return [f"DROP TRIGGER {name}" for name in SQLITE]
