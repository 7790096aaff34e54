BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attempt (
	id INTEGER NOT NULL, 
	message INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	code VARCHAR(32) NOT NULL, 
	gateway_ref TEXT NOT NULL, 
	seconds FLOAT NOT NULL, 
	CONSTRAINT pk_attempt PRIMARY KEY (id), 
	CONSTRAINT fk_attempt_message FOREIGN KEY(message) REFERENCES message (id) ON DELETE CASCADE
);
INSERT INTO "attempt" VALUES(1,1,1,'2026-11-23T15:05:00.000000Z','send','accepted','','','SM1',0.25);
CREATE TABLE call (
	id INTEGER NOT NULL, 
	pbx VARCHAR(64) NOT NULL, 
	boot VARCHAR(128) NOT NULL, 
	call_id VARCHAR(150) NOT NULL, 
	began VARCHAR(27) NOT NULL, 
	answered_at VARCHAR(27), 
	ended VARCHAR(27), 
	disposition VARCHAR(16) NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	caller_raw TEXT NOT NULL, 
	caller_e164 VARCHAR(20), 
	caller_name TEXT NOT NULL, 
	withheld BOOLEAN NOT NULL, 
	line TEXT NOT NULL, 
	trunk TEXT NOT NULL, 
	answered_by TEXT NOT NULL, 
	hung_up_by VARCHAR(16) NOT NULL, 
	ring_seconds FLOAT NOT NULL, 
	voicemail_seconds FLOAT NOT NULL, 
	mailbox TEXT NOT NULL, 
	queue TEXT, 
	queue_position INTEGER, 
	queue_wait_seconds FLOAT, 
	rung JSON NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_call PRIMARY KEY (id), 
	CONSTRAINT uq_call_pbx_boot_call_id UNIQUE (pbx, boot, call_id)
);
INSERT INTO "call" VALUES(1,'office','1764000000.5','1764000001.1','2026-11-23T15:04:05.000000Z',NULL,'2026-11-23T15:04:30.000000Z','missed','rang_no_answer','2125550143','+12125550143','Zoë O''Hara; DROP TABLE call',0,'+12125550100','PJSIP/trunk','','caller',25.5,0.0,'','sales',2,12.25,'[["PJSIP/101", 25.5, 2, "NOANSWER"]]','live');
INSERT INTO "call" VALUES(2,'office','1764000000.5','1764000002.1','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','answered','answered','2125550166','+12125550166','',0,'+12125550100','PJSIP/trunk','PJSIP/102','pbx',3.0,0.0,'',NULL,NULL,NULL,'[]','cdr');
CREATE TABLE decision (
	id INTEGER NOT NULL, 
	call INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	moment VARCHAR(24) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	rule VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	checks JSON NOT NULL, 
	CONSTRAINT pk_decision PRIMARY KEY (id), 
	CONSTRAINT fk_decision_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE CASCADE
);
INSERT INTO "decision" VALUES(1,1,'2026-11-23T15:04:30.000000Z','call_ended','text','','','[["cooldown", "pass", "not texted for 4h"]]');
INSERT INTO "decision" VALUES(2,2,'2026-11-23T15:05:00.000000Z','call_ended','skip','answered','answered by 102','[]');
CREATE TABLE gap (
	id INTEGER NOT NULL, 
	pbx VARCHAR(64) NOT NULL, 
	began VARCHAR(27) NOT NULL, 
	ended VARCHAR(27), 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_gap PRIMARY KEY (id)
);
INSERT INTO "gap" VALUES(1,'office','2026-11-22T01:00:00.000000Z','2026-11-22T01:10:00.000000Z','the connection broke');
CREATE TABLE message (
	id INTEGER NOT NULL, 
	call INTEGER, 
	step VARCHAR(32) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	to_e164 VARCHAR(20) NOT NULL, 
	body TEXT NOT NULL, 
	gateway VARCHAR(64) NOT NULL, 
	line TEXT NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	due_at VARCHAR(27) NOT NULL, 
	expires_at VARCHAR(27) NOT NULL, 
	ask_at VARCHAR(27), 
	state VARCHAR(16) NOT NULL, 
	shadow BOOLEAN NOT NULL, 
	attempts INTEGER NOT NULL, 
	lookups INTEGER NOT NULL, 
	gateway_ref TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	code VARCHAR(32) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_message PRIMARY KEY (id), 
	CONSTRAINT fk_message_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE SET NULL, 
	CONSTRAINT uq_message_call_step UNIQUE (call, step), 
	CONSTRAINT uq_message_key UNIQUE ("key")
);
INSERT INTO "message" VALUES(1,1,'first_text','key-1','+12125550143','Sorry that we missed you, Zoë. Reply STOP to opt out.','twilio','+12125550100','2026-11-23T15:04:30.000000Z','2026-11-23T15:05:00.000000Z','2026-11-23T15:34:30.000000Z',NULL,'delivered',0,1,0,'SM1','','','2026-11-23T15:05:00.000000Z');
INSERT INTO "message" VALUES(2,NULL,'test','key-2','+12125550166','A test','modem','','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-24T14:00:00.000000Z',NULL,'queued',0,0,0,'','','','2026-11-23T15:05:00.000000Z');
CREATE TABLE outbound_call (
	id INTEGER NOT NULL, 
	pbx VARCHAR(64) NOT NULL, 
	boot VARCHAR(128) NOT NULL, 
	call_id VARCHAR(150) NOT NULL, 
	dialled TEXT NOT NULL, 
	began VARCHAR(27) NOT NULL, 
	answered_at VARCHAR(27), 
	ended VARCHAR(27), 
	CONSTRAINT pk_outbound_call PRIMARY KEY (id), 
	CONSTRAINT uq_outbound_call_pbx_boot_call_id UNIQUE (pbx, boot, call_id)
);
INSERT INTO "outbound_call" VALUES(1,'office','1764000000.5','1764000003.1','12125550166','2026-11-23T15:05:00.000000Z',NULL,'2026-11-23T15:05:00.000000Z');
CREATE TABLE pbx (
	name VARCHAR(64) NOT NULL, 
	boot VARCHAR(128) NOT NULL, 
	feed VARCHAR(16) NOT NULL, 
	seen_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_pbx PRIMARY KEY (name)
);
INSERT INTO "pbx" VALUES('office','1764000000.5','whole','2026-11-23T15:05:00.000000Z');
CREATE TABLE step (
	call INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind VARCHAR(24) NOT NULL, 
	who TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_step PRIMARY KEY (call, n), 
	CONSTRAINT fk_step_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE CASCADE
);
INSERT INTO "step" VALUES(1,0,'2026-11-23T15:04:05.000000Z','arrived','PJSIP/trunk','');
INSERT INTO "step" VALUES(1,1,'2026-11-23T15:04:30.000000Z','ended','','cause 16');
CREATE INDEX ix_call_began ON call (began);
CREATE INDEX ix_call_call_id ON call (call_id);
CREATE INDEX ix_call_caller_e164_began ON call (caller_e164, began);
CREATE INDEX ix_call_pbx_ended ON call (pbx, ended);
CREATE INDEX ix_gap_pbx_began ON gap (pbx, began);
CREATE INDEX ix_outbound_call_answered_at ON outbound_call (answered_at);
CREATE INDEX ix_outbound_call_began ON outbound_call (began);
CREATE INDEX ix_outbound_call_ended ON outbound_call (ended);
CREATE INDEX ix_decision_call ON decision (call);
CREATE INDEX ix_message_created_at ON message (created_at);
CREATE INDEX ix_message_state_ask_at ON message (state, ask_at);
CREATE INDEX ix_message_state_due_at ON message (state, due_at);
CREATE INDEX ix_message_to_e164_created_at ON message (to_e164, created_at);
CREATE INDEX ix_attempt_message ON attempt (message);
COMMIT;
