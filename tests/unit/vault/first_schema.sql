-- What the first program made by hand, as SQLite has kept it, and what a user of it had.
CREATE TABLE accounts (
	account_id VARCHAR(64) NOT NULL,
	space_id VARCHAR(128) NOT NULL,
	institution_id VARCHAR(128) NOT NULL,
	type VARCHAR(16) NOT NULL,
	currency VARCHAR(16) NOT NULL,
	mask VARCHAR(8),
	PRIMARY KEY (account_id)
);
CREATE INDEX accounts_of_institution ON accounts (space_id, institution_id);
CREATE TABLE connections (
	connection_id VARCHAR(64) NOT NULL,
	space_id VARCHAR(128) NOT NULL,
	provider VARCHAR(32) NOT NULL,
	region VARCHAR(2) NOT NULL,
	institution_id VARCHAR(128) NOT NULL,
	login_key_hash VARCHAR(64) NOT NULL,
	sealed_credential BLOB NOT NULL,
	credential_version INTEGER NOT NULL,
	status VARCHAR(16) NOT NULL,
	created_at FLOAT NOT NULL,
	read_at FLOAT,
	PRIMARY KEY (connection_id)
);
CREATE INDEX connections_login ON connections (space_id, provider, login_key_hash);
CREATE INDEX ix_connections_space_id ON connections (space_id);
CREATE TABLE idempotency (
	caller_id VARCHAR(64) NOT NULL,
	operation VARCHAR(32) NOT NULL,
	"key" VARCHAR(255) NOT NULL,
	body_mac VARCHAR(64) NOT NULL,
	answer BLOB,
	created_at FLOAT NOT NULL,
	PRIMARY KEY (caller_id, operation, "key")
);
CREATE TABLE link_sessions (
	link_session_id VARCHAR(64) NOT NULL,
	space_id VARCHAR(128) NOT NULL,
	provider VARCHAR(32) NOT NULL,
	region VARCHAR(2) NOT NULL,
	institution_id VARCHAR(128),
	repairs_connection_id VARCHAR(64),
	sealed_state BLOB NOT NULL,
	created_at FLOAT NOT NULL,
	expires_at FLOAT,
	exchange VARCHAR(8) NOT NULL,
	connection_id VARCHAR(64),
	PRIMARY KEY (link_session_id)
);
CREATE INDEX ix_link_sessions_space_id ON link_sessions (space_id);
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
CREATE TABLE account_refs (
	connection_id VARCHAR(64) NOT NULL,
	provider_account_id VARCHAR(256) NOT NULL,
	account_id VARCHAR(64) NOT NULL,
	PRIMARY KEY (connection_id, provider_account_id),
	FOREIGN KEY(connection_id) REFERENCES connections (connection_id) ON DELETE CASCADE,
	FOREIGN KEY(account_id) REFERENCES accounts (account_id)
);
INSERT INTO schema_version VALUES (1);
INSERT INTO connections VALUES (
	'conn_old', 'space_1', 'plaid', 'US', 'ins_chase', 'hash of conn_old', X'00FF', 3,
	'needs_user', 1770000000.25, 1770000001.5
);
INSERT INTO accounts VALUES ('acc_old', 'space_1', 'ins_chase', 'depository', 'USD', '1234');
INSERT INTO account_refs VALUES ('conn_old', 'p1', 'acc_old');
INSERT INTO link_sessions VALUES (
	'ls_done', 'space_1', 'plaid', 'US', 'ins_chase', NULL, X'01', 1770000000.0, NULL, 'done',
	'conn_old'
);
INSERT INTO link_sessions VALUES (
	'ls_open', 'space_1', 'plaid', 'US', 'ins_chase', NULL, X'02', 1770000000.0, 1770003600.0,
	'open', NULL
);
INSERT INTO link_sessions VALUES (
	'ls_running', 'space_1', 'mx', 'US', NULL, NULL, X'03', 1770000000.0, NULL, 'running', NULL
);
INSERT INTO idempotency VALUES (
	'caller', 'exchangeToken', 'key', 'mac', X'04', 1770000000.0
);
