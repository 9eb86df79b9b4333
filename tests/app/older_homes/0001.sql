BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE api_key (
	id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	prefix VARCHAR(16) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	scopes JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	CONSTRAINT pk_api_key PRIMARY KEY (id), 
	CONSTRAINT fk_api_key_user_id_user_account FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE, 
	CONSTRAINT uq_api_key_sha256 UNIQUE (sha256)
);
CREATE TABLE audit_event (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	user_id INTEGER, 
	who VARCHAR(254) NOT NULL, 
	action VARCHAR(50) NOT NULL, 
	subject VARCHAR(500) NOT NULL, 
	detail JSON NOT NULL, 
	CONSTRAINT pk_audit_event PRIMARY KEY (id)
);
INSERT INTO "audit_event" VALUES(1,'2026-11-24 10:36:55.836429',1,'local operator','collection.add','company','{}');
INSERT INTO "audit_event" VALUES(2,'2026-11-24 10:36:55.973125',1,'local operator','document.added','policies/leave.md','{"version": 1, "collection": "company"}');
INSERT INTO "audit_event" VALUES(3,'2026-11-24 10:36:56.024018',1,'local operator','document.added','policies/meals.md','{"version": 1, "collection": "company"}');
INSERT INTO "audit_event" VALUES(4,'2026-11-24 10:36:56.066519',1,'local operator','document.added','policies/retention.txt','{"version": 1, "collection": "company"}');
INSERT INTO "audit_event" VALUES(5,'2026-11-24 10:36:56.235693',1,'local operator','document.updated','policies/leave.md','{"version": 2, "collection": "company"}');
INSERT INTO "audit_event" VALUES(6,'2026-11-24 10:36:56.402842',1,'local operator','document.updated','policies/leave.md','{"version": 3, "collection": "company"}');
INSERT INTO "audit_event" VALUES(7,'2026-11-24 10:36:56.508396',1,'local operator','user.add','ada@company.example','{"role": "employee"}');
CREATE TABLE chunk (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	version_id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	start INTEGER NOT NULL, 
	"end" INTEGER NOT NULL, 
	headings JSON NOT NULL, 
	vector BLOB, 
	embedder VARCHAR(100), 
	CONSTRAINT fk_chunk_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id), 
	CONSTRAINT fk_chunk_version_id_document_version FOREIGN KEY(version_id) REFERENCES document_version (id) ON DELETE CASCADE
);
INSERT INTO "chunk" VALUES(2,2,1,0,80,'["Meals"]',X'000000B800B400B4000000340000000000000000000000000000000000BA0000','hashing-1-16');
INSERT INTO "chunk" VALUES(3,2,1,80,155,'["Hotels"]',X'FC32000000000000000000000000FC32000000000000FCB20000FCBAFCB2FCB2','hashing-1-16');
INSERT INTO "chunk" VALUES(4,3,1,0,33,'[]',X'0000000000000000000000000000A839A8B50000A835000000000000A8B5A835','hashing-1-16');
INSERT INTO "chunk" VALUES(6,5,1,0,61,'[]',X'0000000022B400002234000032BA2234000022B422B400000000000022B40000','hashing-1-16');
CREATE TABLE collection (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	everyone BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_collection PRIMARY KEY (id), 
	CONSTRAINT uq_collection_name UNIQUE (name)
);
INSERT INTO "collection" VALUES(1,'company',1,'2026-11-24 10:36:55.836349');
CREATE TABLE collection_reader (
	collection_id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	CONSTRAINT pk_collection_reader PRIMARY KEY (collection_id, user_id), 
	CONSTRAINT fk_collection_reader_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT fk_collection_reader_user_id_user_account FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE TABLE conversation (
	id VARCHAR(32) NOT NULL, 
	user_id INTEGER NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_conversation PRIMARY KEY (id), 
	CONSTRAINT fk_conversation_user_id_user_account FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
INSERT INTO "conversation" VALUES('c531fb772198a3e8a1097de2549d24d7',1,'How many days of annual leave?','2026-11-24 10:36:56.509368','2026-11-24 10:36:56.571163');
CREATE TABLE core (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	folder VARCHAR(1000) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	parameters INTEGER NOT NULL, 
	imported_at DATETIME NOT NULL, 
	CONSTRAINT pk_core PRIMARY KEY (id), 
	CONSTRAINT uq_core_name UNIQUE (name)
);
CREATE TABLE document (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(500) NOT NULL, 
	collection_id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT fk_document_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id), 
	CONSTRAINT uq_document_name UNIQUE (name)
);
INSERT INTO "document" VALUES(1,'policies/leave.md',1,3,10,'2026-11-24 10:36:55.949978','2026-11-24 10:36:56.388110');
INSERT INTO "document" VALUES(2,'policies/meals.md',1,1,3,'2026-11-24 10:36:56.008416','2026-11-24 10:36:56.008416');
INSERT INTO "document" VALUES(3,'policies/retention.txt',1,1,4,'2026-11-24 10:36:56.051929','2026-11-24 10:36:56.051929');
CREATE TABLE document_version (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	document_id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	title VARCHAR(300) NOT NULL, 
	media_type VARCHAR(100) NOT NULL, 
	text BLOB NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT fk_document_version_document_id_document FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE, 
	CONSTRAINT uq_document_version_document_id_version UNIQUE (document_id, version)
);
INSERT INTO "document_version" VALUES(1,1,1,'e52f75ff71565875300cf37558cff93d2217d3f7789f37f0583bb1ef0665e50f','Leave','text/markdown',X'23204C656176650A0A456D706C6F7965657320726563656976652032352064617973206F6620616E6E75616C206C656176652070657220796561722E0A',61,'2026-11-24 10:36:55.949978');
INSERT INTO "document_version" VALUES(2,2,1,'9bdfb631f022123accf24c48b39b222c4875381b6e9d9b9a8510f0a881838969','Travel','text/markdown',X'232054726176656C0A0A2323204D65616C730A0A4D65616C73206F6E20627573696E6573732074726176656C20617265207265696D62757273656420757020746F2024363020706572206461792E0A0A232320486F74656C730A0A4120686F74656C206D617920636F737420757020746F20E282AC31383020706572206E6967687420E2809320627265616B6661737420696E636C756465642E0A',155,'2026-11-24 10:36:56.008416');
INSERT INTO "document_version" VALUES(3,3,1,'874e17539afbc552329324e4075300f3151063e4dfbce44e461239d4f64a156e','policies/retention','text/plain',X'496E766F6963657320617265206B65707420666F722074656E2079656172732E0A',33,'2026-11-24 10:36:56.051929');
INSERT INTO "document_version" VALUES(4,1,2,'08d9e745acf982435ebbacd50d4dd1dfc014ac8fc3212603d0b39715f4db063c','Leave','text/markdown',X'23204C656176650A0A456D706C6F7965657320726563656976652032382064617973206F6620616E6E75616C206C656176652070657220796561722E0A',61,'2026-11-24 10:36:56.220377');
INSERT INTO "document_version" VALUES(5,1,3,'5781e167e3bd321ac5cc71c2164fc17a35a0f97b6409c9cdaddaaaa8cecaedb9','Leave','text/markdown',X'23204C656176650A0A456D706C6F7965657320726563656976652033302064617973206F6620616E6E75616C206C656176652070657220796561722E0A',61,'2026-11-24 10:36:56.388110');
CREATE TABLE feedback (
	message_id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	liked BOOLEAN NOT NULL, 
	comment VARCHAR(2000) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_feedback PRIMARY KEY (message_id, user_id), 
	CONSTRAINT fk_feedback_message_id_message FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE, 
	CONSTRAINT fk_feedback_user_id_user_account FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR(30) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	payload JSON NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	attempts INTEGER NOT NULL, 
	fence INTEGER NOT NULL, 
	owner VARCHAR(200), 
	lease_until DATETIME, 
	result JSON, 
	error VARCHAR(2000), 
	created_by INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	CONSTRAINT fk_job_created_by_user_account FOREIGN KEY(created_by) REFERENCES user_account (id)
);
INSERT INTO "job" VALUES(1,'ingest','d1e9edf7ce9f18fd7358bd07091200d03e5ab4d5a240720e3cf3aa3b0a8a9654','{"path": "/srv/policies/empty.txt", "name": "policies/empty.txt", "collection": "company"}','failed',1,1,NULL,NULL,NULL,'policies/empty.txt is empty; check that it was copied completely and try again.',1,'2026-11-24 10:36:55.852272','2026-11-24 10:36:55.897599');
INSERT INTO "job" VALUES(2,'ingest','4e0b3a74dbfb0cd8d07f2695ab624b40313e1d626ae5ad0e682d593b8dfa861d','{"path": "/srv/policies/leave.md", "name": "policies/leave.md", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "added", "chunks": 1}',NULL,1,'2026-11-24 10:36:55.865944','2026-11-24 10:36:55.973760');
INSERT INTO "job" VALUES(3,'ingest','42d344490adb5c4444e5fb78828f1005c827e5375eb699304e0863997b8e7c3d','{"path": "/srv/policies/meals.md", "name": "policies/meals.md", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "added", "chunks": 2}',NULL,1,'2026-11-24 10:36:55.866868','2026-11-24 10:36:56.024642');
INSERT INTO "job" VALUES(4,'ingest','0422bd0eade1315280b454a0242148cc57eb805b6241faa8980360214b410aa6','{"path": "/srv/policies/retention.txt", "name": "policies/retention.txt", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "added", "chunks": 1}',NULL,1,'2026-11-24 10:36:55.867479','2026-11-24 10:36:56.067167');
INSERT INTO "job" VALUES(5,'ingest','d1e9edf7ce9f18fd7358bd07091200d03e5ab4d5a240720e3cf3aa3b0a8a9654','{"path": "/srv/policies/empty.txt", "name": "policies/empty.txt", "collection": "company"}','failed',1,1,NULL,NULL,NULL,'policies/empty.txt is empty; check that it was copied completely and try again.',1,'2026-11-24 10:36:56.172682','2026-11-24 10:36:56.195552');
INSERT INTO "job" VALUES(6,'ingest','4e0b3a74dbfb0cd8d07f2695ab624b40313e1d626ae5ad0e682d593b8dfa861d','{"path": "/srv/policies/leave.md", "name": "policies/leave.md", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "updated", "chunks": 1}',NULL,1,'2026-11-24 10:36:56.173427','2026-11-24 10:36:56.236254');
INSERT INTO "job" VALUES(7,'ingest','42d344490adb5c4444e5fb78828f1005c827e5375eb699304e0863997b8e7c3d','{"path": "/srv/policies/meals.md", "name": "policies/meals.md", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "unchanged", "chunks": 2}',NULL,1,'2026-11-24 10:36:56.178427','2026-11-24 10:36:56.260514');
INSERT INTO "job" VALUES(8,'ingest','0422bd0eade1315280b454a0242148cc57eb805b6241faa8980360214b410aa6','{"path": "/srv/policies/retention.txt", "name": "policies/retention.txt", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "unchanged", "chunks": 1}',NULL,1,'2026-11-24 10:36:56.179271','2026-11-24 10:36:56.277528');
INSERT INTO "job" VALUES(9,'ingest','d1e9edf7ce9f18fd7358bd07091200d03e5ab4d5a240720e3cf3aa3b0a8a9654','{"path": "/srv/policies/empty.txt", "name": "policies/empty.txt", "collection": "company"}','failed',1,1,NULL,NULL,NULL,'policies/empty.txt is empty; check that it was copied completely and try again.',1,'2026-11-24 10:36:56.342256','2026-11-24 10:36:56.363402');
INSERT INTO "job" VALUES(10,'ingest','4e0b3a74dbfb0cd8d07f2695ab624b40313e1d626ae5ad0e682d593b8dfa861d','{"path": "/srv/policies/leave.md", "name": "policies/leave.md", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "updated", "chunks": 1}',NULL,1,'2026-11-24 10:36:56.343229','2026-11-24 10:36:56.403442');
INSERT INTO "job" VALUES(11,'ingest','42d344490adb5c4444e5fb78828f1005c827e5375eb699304e0863997b8e7c3d','{"path": "/srv/policies/meals.md", "name": "policies/meals.md", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "unchanged", "chunks": 2}',NULL,1,'2026-11-24 10:36:56.343786','2026-11-24 10:36:56.419925');
INSERT INTO "job" VALUES(12,'ingest','0422bd0eade1315280b454a0242148cc57eb805b6241faa8980360214b410aa6','{"path": "/srv/policies/retention.txt", "name": "policies/retention.txt", "collection": "company"}','done',1,1,NULL,NULL,'{"status": "unchanged", "chunks": 1}',NULL,1,'2026-11-24 10:36:56.344300','2026-11-24 10:36:56.439426');
CREATE TABLE message (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	conversation_id VARCHAR(32) NOT NULL, 
	question VARCHAR NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	answer JSON, 
	error VARCHAR(500), 
	asked_at DATETIME NOT NULL, 
	answered_at DATETIME, 
	CONSTRAINT fk_message_conversation_id_conversation FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);
INSERT INTO "message" VALUES(1,'c531fb772198a3e8a1097de2549d24d7','How many days of annual leave?','done','vm/cb45c96e-efdc-4a03-ad62-ec647a9788e3:10563:1896044','{"text": "Employees receive 30 days of annual leave per year. [1]", "kind": "answer", "verified": true, "problems": [], "working": [{"line": "\"Employees receive 30 days of annual leave per year\" [1]", "holds": true, "reason": ""}], "passages": [{"n": 1, "version_id": 5, "headings": [], "start": 0, "end": 61, "window_start": 9, "window_end": 60}, {"n": 2, "version_id": 2, "headings": ["Meals"], "start": 0, "end": 80, "window_start": 20, "window_end": 78}, {"n": 3, "version_id": 3, "headings": [], "start": 0, "end": 33, "window_start": 0, "window_end": 32}], "new": [1, 2, 3], "citations": [{"n": 1, "version_id": 5, "start": 9, "end": 60}], "response": {"working": ["\"Employees receive 30 days of annual leave per year\" [1]"], "answer": "Employees receive 30 days of annual leave per year. [1]"}, "core": "quoting", "generation": 5, "timings_ms": {"searching": 18.5, "reading": 1.9, "total": 20.4}, "confidence": 0.75}',NULL,'2026-11-24 10:36:56.521911','2026-11-24 10:36:56.571134');
CREATE TABLE promotion (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	core VARCHAR(100) NOT NULL, 
	at DATETIME NOT NULL, 
	rolled_back_at DATETIME
);
CREATE TABLE setting (
	name VARCHAR(50) NOT NULL, 
	value VARCHAR(1000) NOT NULL, 
	CONSTRAINT pk_setting PRIMARY KEY (name)
);
INSERT INTO "setting" VALUES('index_generation','5');
CREATE TABLE sign_in_attempt (
	id INTEGER NOT NULL, 
	"key" VARCHAR(300) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in_attempt PRIMARY KEY (id)
);
CREATE TABLE sign_in_session (
	token_sha256 VARCHAR(64) NOT NULL, 
	user_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT pk_sign_in_session PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_sign_in_session_user_id_user_account FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE TABLE user_account (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	email VARCHAR(254) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	password_hash VARCHAR(255), 
	created_at DATETIME NOT NULL, 
	disabled_at DATETIME, 
	CONSTRAINT uq_user_account_email UNIQUE (email)
);
INSERT INTO "user_account" VALUES(1,'local operator','Local operator','admin',NULL,'2026-11-24 10:36:55.819961',NULL);
INSERT INTO "user_account" VALUES(2,'ada@company.example','Ada','employee','$argon2id$v=19$m=64,t=3,p=4$Jz7K0hd3pU2oiqtgyCJDbg$o48f486ec39QvrqZCEY8NUqwZm0uBW47XEpCjOv28BU','2026-11-24 10:36:56.507950',NULL);
CREATE INDEX ix_sign_in_attempt_key_at ON sign_in_attempt ("key", at);
CREATE INDEX ix_api_key_user_id ON api_key (user_id);
CREATE INDEX ix_conversation_user_id_updated_at ON conversation (user_id, updated_at);
CREATE INDEX ix_document_collection_id ON document (collection_id);
CREATE INDEX ix_job_state_id ON job (state, id);
CREATE UNIQUE INDEX uq_job_active_key ON job ("key") WHERE state IN ('queued', 'running');
CREATE INDEX ix_sign_in_session_user_id ON sign_in_session (user_id);
CREATE INDEX ix_message_conversation_id ON message (conversation_id);
CREATE INDEX ix_chunk_collection_id ON chunk (collection_id);
CREATE INDEX ix_chunk_embedder ON chunk (embedder);
CREATE INDEX ix_chunk_version_id ON chunk (version_id);
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('user_account',2);
INSERT INTO "sqlite_sequence" VALUES('job',12);
INSERT INTO "sqlite_sequence" VALUES('document',3);
INSERT INTO "sqlite_sequence" VALUES('document_version',5);
INSERT INTO "sqlite_sequence" VALUES('chunk',6);
INSERT INTO "sqlite_sequence" VALUES('message',1);
COMMIT;
