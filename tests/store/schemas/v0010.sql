BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0010');
CREATE TABLE alert (
	id INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind VARCHAR(24) NOT NULL, 
	subject TEXT NOT NULL, 
	text TEXT NOT NULL, 
	urgent BOOLEAN NOT NULL, 
	times INTEGER NOT NULL, 
	due_at VARCHAR(27), 
	told INTEGER NOT NULL, 
	told_at VARCHAR(27), 
	acknowledged_at VARCHAR(27), 
	acknowledged_by TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	reply INTEGER, recording INTEGER, 
	CONSTRAINT pk_alert PRIMARY KEY (id), 
	CONSTRAINT fk_alert_reply FOREIGN KEY(reply) REFERENCES reply (id) ON DELETE SET NULL
);
INSERT INTO "alert" VALUES(1,'2026-11-23T15:05:00.000000Z','opt_out','+12125550143','+12125550143 wants no more texts: STOP please',0,1,NULL,1,'2026-11-23T15:05:00.000000Z',NULL,'','',1,NULL);
CREATE TABLE astdb (
	pbx VARCHAR(64) NOT NULL, 
	family VARCHAR(32) NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	value TEXT NOT NULL, 
	is_put BOOLEAN NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_astdb PRIMARY KEY (pbx, family, "key")
);
INSERT INTO "astdb" VALUES('office','pbxbridge-last','125550143','102',1,'2026-11-23T15:05:00.000000Z');
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
	seconds FLOAT NOT NULL, gateway VARCHAR(64) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_attempt PRIMARY KEY (id), 
	CONSTRAINT fk_attempt_message FOREIGN KEY(message) REFERENCES message (id) ON DELETE CASCADE
);
INSERT INTO "attempt" VALUES(1,1,1,'2026-11-23T15:05:00.000000Z','send','accepted','','','SM1',0.25,'twilio');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	who TEXT NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	subject TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id)
);
INSERT INTO "audit" VALUES(1,'2026-11-23T15:05:00.000000Z','anna','task.claim','+12125550166','','192.0.2.7');
CREATE TABLE booking (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	number VARCHAR(20) NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	starts_at VARCHAR(27), 
	source VARCHAR(64) NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_booking PRIMARY KEY (id), 
	CONSTRAINT uq_booking_key UNIQUE ("key")
);
INSERT INTO "booking" VALUES(1,'b-1','+12125550166','2026-11-23T15:05:00.000000Z','2026-11-24T14:00:00.000000Z','cal.com','30 minutes');
CREATE TABLE calendar_feed (
	name TEXT NOT NULL, 
	source TEXT NOT NULL, 
	body TEXT NOT NULL, 
	etag TEXT NOT NULL, 
	modified TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	tried_at VARCHAR(27) NOT NULL, 
	read_at VARCHAR(27), 
	CONSTRAINT pk_calendar_feed PRIMARY KEY (name)
);
INSERT INTO "calendar_feed" VALUES('closures','https://example.com/c.ics','BEGIN:VCALENDAR
END:VCALENDAR
','','','','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z');
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
CREATE TABLE call_back (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	pbx VARCHAR(64) NOT NULL, 
	task INTEGER, 
	number VARCHAR(20) NOT NULL, 
	name TEXT NOT NULL, 
	line TEXT NOT NULL, 
	user TEXT NOT NULL, 
	extension VARCHAR(32) NOT NULL, 
	wanted_at VARCHAR(27) NOT NULL, 
	answered_at VARCHAR(27), 
	rang_at VARCHAR(27), 
	talking_at VARCHAR(27), 
	ended_at VARCHAR(27), 
	state VARCHAR(16) NOT NULL, 
	outcome VARCHAR(24) NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_call_back PRIMARY KEY (id), 
	CONSTRAINT fk_call_back_task FOREIGN KEY(task) REFERENCES task (id) ON DELETE SET NULL, 
	CONSTRAINT uq_call_back_key UNIQUE ("key"), 
	CONSTRAINT uq_call_back_token UNIQUE (token)
);
INSERT INTO "call_back" VALUES(1,'k-1','t-2','office',1,'+12125550143','Zoë O''Hara','+12125550100','anna','101','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z',NULL,'2026-11-23T15:05:00.000000Z','ended','customer_busy','');
CREATE TABLE clock (
	id INTEGER NOT NULL, 
	boot VARCHAR(64) NOT NULL, 
	origin VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_clock PRIMARY KEY (id)
);
INSERT INTO "clock" VALUES(1,'3f0c3c9e-7d5c-4a8e-9a55-0f2f4d9f7a11','2026-11-24T14:00:00.000000Z');
CREATE TABLE consent (
	id INTEGER NOT NULL, 
	address TEXT NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	reply INTEGER, call INTEGER, 
	CONSTRAINT pk_consent PRIMARY KEY (id), 
	CONSTRAINT fk_consent_reply FOREIGN KEY(reply) REFERENCES reply (id) ON DELETE SET NULL
);
INSERT INTO "consent" VALUES(1,'+12125550143','2026-11-23T15:05:00.000000Z','opt_out','reply','STOP please',1,NULL);
INSERT INTO "consent" VALUES(2,'+12125550177','2026-11-23T15:05:00.000000Z','opt_out','office','asked on the phone',NULL,NULL);
INSERT INTO "consent" VALUES(3,'+12125550166','2026-11-23T15:05:00.000000Z','opt_in','press_1','pressed 1',NULL,2);
CREATE TABLE contact (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	company TEXT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	tags JSON NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	zone VARCHAR(64) NOT NULL, 
	email TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	notes TEXT NOT NULL, 
	edited JSON NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_contact PRIMARY KEY (id)
);
INSERT INTO "contact" VALUES(1,'Zoë O''Hara','O''Hara Ltd','customer','["vip"]','en','America/New_York','zoe@ohara.example','anna','has a dog','["notes"]','2026-11-23T15:04:05.000000Z','2026-11-23T15:05:00.000000Z');
CREATE TABLE contact_number (
	number VARCHAR(20) NOT NULL, 
	contact INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	CONSTRAINT pk_contact_number PRIMARY KEY (number), 
	CONSTRAINT fk_contact_number_contact FOREIGN KEY(contact) REFERENCES contact (id) ON DELETE CASCADE
);
INSERT INTO "contact_number" VALUES('+12125550143',1,'mobile');
CREATE TABLE contact_origin (
	id INTEGER NOT NULL, 
	contact INTEGER NOT NULL, 
	source VARCHAR(64) NOT NULL, 
	uid TEXT NOT NULL, 
	etag TEXT NOT NULL, 
	seen JSON NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_contact_origin PRIMARY KEY (id), 
	CONSTRAINT fk_contact_origin_contact FOREIGN KEY(contact) REFERENCES contact (id) ON DELETE CASCADE, 
	CONSTRAINT uq_contact_origin_source_uid UNIQUE (source, uid)
);
INSERT INTO "contact_origin" VALUES(1,1,'nextcloud','u-1','"1"','{"name": "Zoë O''Hara"}','2026-11-23T15:05:00.000000Z');
CREATE TABLE contact_source (
	name VARCHAR(64) NOT NULL, 
	cursor TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	tried_at VARCHAR(27) NOT NULL, 
	read_at VARCHAR(27), 
	CONSTRAINT pk_contact_source PRIMARY KEY (name)
);
INSERT INTO "contact_source" VALUES('nextcloud','sync-1','1 contact','','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z');
CREATE TABLE correspondent (
	address TEXT NOT NULL, 
	gateway VARCHAR(64) NOT NULL, 
	untextable TEXT NOT NULL, 
	muted_until VARCHAR(27), 
	muted_why TEXT NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_correspondent PRIMARY KEY (address)
);
INSERT INTO "correspondent" VALUES('+12125550143','twilio','',NULL,'','2026-11-23T15:05:00.000000Z');
INSERT INTO "correspondent" VALUES('+12125550166','','a landline',NULL,'','2026-11-23T15:05:00.000000Z');
CREATE TABLE crm_contact (
	destination VARCHAR(64) NOT NULL, 
	number VARCHAR(20) NOT NULL, 
	remote_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	checked_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_crm_contact PRIMARY KEY (destination, number)
);
INSERT INTO "crm_contact" VALUES('hubspot','+12125550143','77','Zoë O''Hara','customer','2026-11-23T15:05:00.000000Z');
CREATE TABLE decision (
	id INTEGER NOT NULL, 
	call INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	moment VARCHAR(24) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	rule VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	checks JSON NOT NULL, matched_rule TEXT DEFAULT '' NOT NULL, sequence VARCHAR(64) DEFAULT '' NOT NULL, track VARCHAR(16) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_decision PRIMARY KEY (id), 
	CONSTRAINT fk_decision_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE CASCADE
);
INSERT INTO "decision" VALUES(1,1,'2026-11-23T15:04:30.000000Z','call_ended','text','','','[["cooldown", "pass", "not texted for 4h"]]','new callers','booking','treated');
INSERT INTO "decision" VALUES(2,2,'2026-11-23T15:05:00.000000Z','call_ended','skip','answered','answered by 102','[]','','','');
CREATE TABLE destination (
	name VARCHAR(64) NOT NULL, 
	failures INTEGER NOT NULL, 
	failing_since VARCHAR(27), 
	until VARCHAR(27), 
	told BOOLEAN NOT NULL, 
	disabled BOOLEAN NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	detail TEXT NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_destination PRIMARY KEY (name)
);
INSERT INTO "destination" VALUES('zapier',0,NULL,NULL,0,0,'f','','2026-11-23T15:05:00.000000Z');
CREATE TABLE event (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	number TEXT NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (id), 
	CONSTRAINT uq_event_key UNIQUE ("key")
);
INSERT INTO "event" VALUES(1,'evt-1','call.missed','2026-11-23T15:04:30.000000Z','+12125550143','{"call": 1, "number": "+12125550143"}');
CREATE TABLE event_delivery (
	id INTEGER NOT NULL, 
	event INTEGER NOT NULL, 
	destination VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	wanted_at VARCHAR(27) NOT NULL, 
	due_at VARCHAR(27) NOT NULL, 
	detail TEXT NOT NULL, 
	code VARCHAR(32) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_event_delivery PRIMARY KEY (id), 
	CONSTRAINT fk_event_delivery_event FOREIGN KEY(event) REFERENCES event (id) ON DELETE CASCADE, 
	CONSTRAINT uq_event_delivery_event_destination UNIQUE (event, destination)
);
INSERT INTO "event_delivery" VALUES(1,1,'zapier','delivered',1,'2026-11-23T15:04:30.000000Z','2026-11-23T15:04:30.000000Z','','200','2026-11-23T15:05:00.000000Z');
CREATE TABLE follow_up (
	id INTEGER NOT NULL, 
	call INTEGER, 
	recipient TEXT NOT NULL, 
	line TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	sequence VARCHAR(64) NOT NULL, 
	calls INTEGER NOT NULL, 
	opened_at VARCHAR(27) NOT NULL, 
	last_call_at VARCHAR(27) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	stopped_at VARCHAR(27), 
	reason VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	held_out BOOLEAN NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_follow_up PRIMARY KEY (id), 
	CONSTRAINT fk_follow_up_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE SET NULL
);
INSERT INTO "follow_up" VALUES(1,1,'+12125550143','+12125550100','new callers','booking',1,'2026-11-23T15:04:30.000000Z','2026-11-23T15:04:30.000000Z','stopped','2026-11-23T15:05:00.000000Z','opted_out','the customer opted out',0,'2026-11-23T15:05:00.000000Z');
INSERT INTO "follow_up" VALUES(2,2,'+12125550166','+12125550100','new callers','booking',2,'2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','open',NULL,'','',0,'2026-11-23T15:05:00.000000Z');
CREATE TABLE gap (
	id INTEGER NOT NULL, 
	pbx VARCHAR(64) NOT NULL, 
	began VARCHAR(27) NOT NULL, 
	ended VARCHAR(27), 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_gap PRIMARY KEY (id)
);
INSERT INTO "gap" VALUES(1,'office','2026-11-22T01:00:00.000000Z','2026-11-22T01:10:00.000000Z','the connection broke');
CREATE TABLE guard (
	name VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	since VARCHAR(27) NOT NULL, 
	until VARCHAR(27), 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_guard PRIMARY KEY (name)
);
INSERT INTO "guard" VALUES('burst','closed','2026-11-23T15:05:00.000000Z',NULL,'');
CREATE TABLE jump (
	id INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	seconds FLOAT NOT NULL, 
	since VARCHAR(27), 
	CONSTRAINT pk_jump PRIMARY KEY (id)
);
INSERT INTO "jump" VALUES(1,'2026-11-23T15:05:00.000000Z',-3600.5,NULL);
CREATE TABLE ladder (
	id INTEGER NOT NULL, 
	alert INTEGER NOT NULL, 
	number VARCHAR(20) NOT NULL, 
	line TEXT NOT NULL, 
	wrote BOOLEAN NOT NULL, 
	call INTEGER, 
	opened_at VARCHAR(27) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	taken_by TEXT NOT NULL, 
	ended_at VARCHAR(27), 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_ladder PRIMARY KEY (id), 
	CONSTRAINT fk_ladder_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE SET NULL, 
	CONSTRAINT uq_ladder_alert UNIQUE (alert)
);
INSERT INTO "ladder" VALUES(1,1,'+12125550143','+12125550100',1,1,'2026-11-23T15:05:00.000000Z','taken','anna','2026-11-23T15:05:00.000000Z','');
CREATE TABLE ladder_leg (
	id INTEGER NOT NULL, 
	ladder INTEGER NOT NULL, 
	round INTEGER NOT NULL, 
	place INTEGER NOT NULL, 
	person TEXT NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	placed_at VARCHAR(27) NOT NULL, 
	answered_at VARCHAR(27), 
	ended_at VARCHAR(27), 
	outcome VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_ladder_leg PRIMARY KEY (id), 
	CONSTRAINT fk_ladder_leg_ladder FOREIGN KEY(ladder) REFERENCES ladder (id) ON DELETE CASCADE, 
	CONSTRAINT uq_ladder_leg_token UNIQUE (token)
);
INSERT INTO "ladder_leg" VALUES(1,1,0,0,'anna','t-1','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','took','');
CREATE TABLE message (
	id INTEGER NOT NULL, 
	call INTEGER, 
	step VARCHAR(32) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
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
	updated_at VARCHAR(27) NOT NULL, recipient TEXT DEFAULT '' NOT NULL, channel VARCHAR(8) DEFAULT 'sms' NOT NULL, purpose VARCHAR(16) DEFAULT 'follow_up' NOT NULL, subject TEXT DEFAULT '' NOT NULL, reply INTEGER, route JSON DEFAULT '[]' NOT NULL, tried JSON DEFAULT '{}' NOT NULL, segments INTEGER DEFAULT '0' NOT NULL, region VARCHAR(3) DEFAULT '' NOT NULL, stranger BOOLEAN DEFAULT '0' NOT NULL, cost_micros INTEGER DEFAULT '0' NOT NULL, priced_by VARCHAR(8) DEFAULT '' NOT NULL, follow_up INTEGER, author TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_message PRIMARY KEY (id), 
	CONSTRAINT fk_message_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE SET NULL, 
	CONSTRAINT uq_message_call_step UNIQUE (call, step), 
	CONSTRAINT uq_message_key UNIQUE ("key")
);
INSERT INTO "message" VALUES(1,1,'first_text','key-1','Sorry that we missed you, Zoë. Reply STOP to opt out.','twilio','+12125550100','2026-11-23T15:04:30.000000Z','2026-11-23T15:05:00.000000Z','2026-11-23T15:34:30.000000Z',NULL,'delivered',0,1,0,'SM1','','','2026-11-23T15:05:00.000000Z','+12125550143','sms','follow_up','',NULL,'["twilio"]','{}',1,'US',1,7900,'gateway',1,'');
INSERT INTO "message" VALUES(2,NULL,'test','key-2','A test','modem','','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-24T14:00:00.000000Z',NULL,'queued',0,0,0,'','','','2026-11-23T15:05:00.000000Z','+12125550166','sms','test','',NULL,'["modem"]','{}',1,'US',0,0,'',NULL,'anna');
CREATE TABLE note (
	id INTEGER NOT NULL, 
	contact INTEGER, 
	number TEXT NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	who TEXT NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT pk_note PRIMARY KEY (id), 
	CONSTRAINT fk_note_contact FOREIGN KEY(contact) REFERENCES contact (id) ON DELETE SET NULL
);
INSERT INTO "note" VALUES(1,1,'+12125550143','2026-11-23T15:05:00.000000Z','anna','asked for Zoë''s dog');
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
CREATE TABLE planned_step (
	id INTEGER NOT NULL, 
	follow_up INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	name VARCHAR(32) NOT NULL, 
	action VARCHAR(16) NOT NULL, 
	due_at VARCHAR(27) NOT NULL, 
	expires_at VARCHAR(27) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	message INTEGER, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_planned_step PRIMARY KEY (id), 
	CONSTRAINT fk_planned_step_follow_up FOREIGN KEY(follow_up) REFERENCES follow_up (id) ON DELETE CASCADE, 
	CONSTRAINT uq_planned_step_follow_up_n UNIQUE (follow_up, n)
);
INSERT INTO "planned_step" VALUES(1,1,0,'second_text','text','2026-11-24T14:00:00.000000Z','2026-11-24T18:00:00.000000Z','cancelled','opted_out','the customer opted out',NULL,'2026-11-23T15:05:00.000000Z');
INSERT INTO "planned_step" VALUES(2,2,0,'second_text','text','2026-11-24T14:00:00.000000Z','2026-11-24T18:00:00.000000Z','waiting','','',NULL,'2026-11-23T15:05:00.000000Z');
CREATE TABLE receipt (
	id INTEGER NOT NULL, 
	message INTEGER, 
	at VARCHAR(27) NOT NULL, 
	gateway VARCHAR(64) NOT NULL, 
	gateway_ref TEXT NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	code VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	blame VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_receipt PRIMARY KEY (id), 
	CONSTRAINT fk_receipt_message FOREIGN KEY(message) REFERENCES message (id) ON DELETE CASCADE, 
	CONSTRAINT uq_receipt_gateway_gateway_ref_key_state_code UNIQUE (gateway, gateway_ref, "key", state, code)
);
INSERT INTO "receipt" VALUES(1,1,'2026-11-23T15:05:00.000000Z','twilio','SM1','','delivered','','delivered','message');
CREATE TABLE recording (
	id INTEGER NOT NULL, 
	call INTEGER NOT NULL, 
	mailbox TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	left_at VARCHAR(27) NOT NULL, 
	path TEXT NOT NULL, 
	seconds FLOAT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	transcript TEXT NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at VARCHAR(27), 
	tell_at VARCHAR(27), 
	problem TEXT NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_recording PRIMARY KEY (id), 
	CONSTRAINT fk_recording_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE CASCADE, 
	CONSTRAINT uq_recording_call UNIQUE (call)
);
INSERT INTO "recording" VALUES(1,2,'102@default','PJSIP/trunk-1','2026-11-23T15:05:00.000000Z','/var/spool/asterisk/voicemail/default/102/INBOX/msg0000.wav',14.0,'transcribed','Please call me back','en',1,NULL,NULL,'','2026-11-23T15:05:00.000000Z');
CREATE TABLE reply (
	id INTEGER NOT NULL, 
	received_at VARCHAR(27) NOT NULL, 
	sent_at VARCHAR(27), 
	gateway VARCHAR(64) NOT NULL, 
	gateway_ref TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	sender_e164 VARCHAR(20), 
	recipient TEXT NOT NULL, 
	body TEXT NOT NULL, 
	meaning VARCHAR(16) NOT NULL, 
	detail TEXT NOT NULL, 
	message INTEGER, 
	call INTEGER, 
	CONSTRAINT pk_reply PRIMARY KEY (id), 
	CONSTRAINT fk_reply_message FOREIGN KEY(message) REFERENCES message (id) ON DELETE SET NULL, 
	CONSTRAINT fk_reply_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE SET NULL, 
	CONSTRAINT uq_reply_gateway_gateway_ref UNIQUE (gateway, gateway_ref)
);
INSERT INTO "reply" VALUES(1,'2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','twilio','IN1','+12125550143','+12125550143','+12125550100','STOP please','opt_out','the word ''STOP''',1,1);
CREATE TABLE standing (
	gateway VARCHAR(64) NOT NULL, 
	circuit VARCHAR(16) NOT NULL, 
	failures INTEGER NOT NULL, 
	until VARCHAR(27), 
	reason TEXT NOT NULL, 
	cursor TEXT NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_standing PRIMARY KEY (gateway)
);
INSERT INTO "standing" VALUES('twilio','closed',0,NULL,'','2026-11-23T15:05:00Z','2026-11-23T15:05:00.000000Z');
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
CREATE TABLE task (
	id INTEGER NOT NULL, 
	follow_up INTEGER, 
	call INTEGER, 
	recipient TEXT NOT NULL, 
	name TEXT NOT NULL, 
	line TEXT NOT NULL, 
	title TEXT NOT NULL, 
	calls INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	owner TEXT NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	due_at VARCHAR(27), 
	snoozed_until VARCHAR(27), 
	expires_at VARCHAR(27) NOT NULL, 
	escalated INTEGER NOT NULL, 
	escalated_at VARCHAR(27), 
	closed_at VARCHAR(27), 
	closed_by TEXT NOT NULL, 
	closed_how VARCHAR(16) NOT NULL, 
	note TEXT NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_task PRIMARY KEY (id), 
	CONSTRAINT fk_task_call FOREIGN KEY(call) REFERENCES call (id) ON DELETE SET NULL, 
	CONSTRAINT fk_task_follow_up FOREIGN KEY(follow_up) REFERENCES follow_up (id) ON DELETE SET NULL
);
INSERT INTO "task" VALUES(1,2,2,'+12125550166','','+12125550100','Call the caller back',2,'open','anna','2026-11-23T15:05:00.000000Z','2026-11-24T14:00:00.000000Z',NULL,'2026-11-30T15:00:00.000000Z',0,NULL,NULL,'','','prefers mornings','2026-11-23T15:05:00.000000Z');
CREATE TABLE web_invite (
	id INTEGER NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	user INTEGER, 
	name VARCHAR(64) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	created_by TEXT NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	expires_at VARCHAR(27) NOT NULL, 
	used_at VARCHAR(27), 
	CONSTRAINT pk_web_invite PRIMARY KEY (id), 
	CONSTRAINT fk_web_invite_user FOREIGN KEY(user) REFERENCES web_user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_web_invite_token UNIQUE (token)
);
INSERT INTO "web_invite" VALUES(1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',NULL,'','agent','anna','2026-11-23T15:05:00.000000Z','2026-11-26T15:05:00.000000Z',NULL);
CREATE TABLE web_session (
	id INTEGER NOT NULL, 
	user INTEGER NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	former VARCHAR(64), 
	csrf VARCHAR(64) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	agent TEXT NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	rotated_at VARCHAR(27) NOT NULL, 
	seen_at VARCHAR(27) NOT NULL, 
	expires_at VARCHAR(27) NOT NULL, 
	CONSTRAINT pk_web_session PRIMARY KEY (id), 
	CONSTRAINT fk_web_session_user FOREIGN KEY(user) REFERENCES web_user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_web_session_token UNIQUE (token)
);
INSERT INTO "web_session" VALUES(1,1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',NULL,'ccccccccccccccccccccccccccccccccccccccccccc','192.0.2.7','Firefox','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-23T15:05:00.000000Z','2026-11-30T15:05:00.000000Z');
CREATE TABLE web_token (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	created_by TEXT NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	used_at VARCHAR(27), 
	revoked_at VARCHAR(27), 
	CONSTRAINT pk_web_token PRIMARY KEY (id), 
	CONSTRAINT uq_web_token_token UNIQUE (token)
);
INSERT INTO "web_token" VALUES(1,'wallboard','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','viewer','anna','2026-11-23T15:05:00.000000Z',NULL,NULL);
CREATE TABLE web_user (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	display_name TEXT NOT NULL, 
	password TEXT NOT NULL, 
	subject TEXT, 
	role VARCHAR(16) NOT NULL, 
	extension VARCHAR(32) NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	zone TEXT NOT NULL, 
	shortcuts BOOLEAN NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	seen_at VARCHAR(27), 
	disabled_at VARCHAR(27), 
	CONSTRAINT pk_web_user PRIMARY KEY (id), 
	CONSTRAINT uq_web_user_name UNIQUE (name), 
	CONSTRAINT uq_web_user_subject UNIQUE (subject)
);
INSERT INTO "web_user" VALUES(1,'anna','Anna','$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g',NULL,'admin','101','en','',1,'2026-11-23T15:04:05.000000Z','2026-11-23T15:05:00.000000Z',NULL);
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
CREATE INDEX ix_attempt_message ON attempt (message);
CREATE INDEX ix_reply_sender_e164_received_at ON reply (sender_e164, received_at);
CREATE INDEX ix_reply_received_at ON reply (received_at);
CREATE INDEX ix_receipt_message ON receipt (message);
CREATE INDEX ix_consent_address_id ON consent (address, id);
CREATE INDEX ix_alert_due_at ON alert (due_at);
CREATE INDEX ix_alert_kind_subject_at ON alert (kind, subject, at);
CREATE INDEX ix_message_recipient_created_at ON message (recipient, created_at);
CREATE INDEX ix_message_gateway_gateway_ref ON message (gateway, gateway_ref);
CREATE INDEX ix_message_follow_up ON message (follow_up);
CREATE INDEX ix_follow_up_call ON follow_up (call);
CREATE INDEX ix_follow_up_opened_at ON follow_up (opened_at);
CREATE INDEX ix_follow_up_recipient_state ON follow_up (recipient, state);
CREATE INDEX ix_follow_up_state_last_call_at ON follow_up (state, last_call_at);
CREATE INDEX ix_planned_step_state_due_at ON planned_step (state, due_at);
CREATE INDEX ix_task_created_at ON task (created_at);
CREATE INDEX ix_task_recipient_state ON task (recipient, state);
CREATE INDEX ix_task_state_due_at ON task (state, due_at);
CREATE INDEX ix_contact_name ON contact (name);
CREATE INDEX ix_contact_email ON contact (email);
CREATE INDEX ix_contact_number_contact ON contact_number (contact);
CREATE INDEX ix_contact_origin_contact ON contact_origin (contact);
CREATE INDEX ix_event_at ON event (at);
CREATE INDEX ix_event_delivery_destination_state_event ON event_delivery (destination, state, event);
CREATE INDEX ix_event_delivery_updated_at ON event_delivery (updated_at);
CREATE INDEX ix_crm_contact_number ON crm_contact (number);
CREATE INDEX ix_recording_due_at ON recording (due_at);
CREATE INDEX ix_recording_tell_at ON recording (tell_at);
CREATE INDEX ix_recording_left_at ON recording (left_at);
CREATE INDEX ix_booking_number_at ON booking (number, at);
CREATE INDEX ix_consent_call ON consent (call);
CREATE INDEX ix_ladder_call ON ladder (call);
CREATE INDEX ix_ladder_state ON ladder (state);
CREATE INDEX ix_ladder_number_opened_at ON ladder (number, opened_at);
CREATE INDEX ix_ladder_opened_at ON ladder (opened_at);
CREATE INDEX ix_ladder_leg_ladder ON ladder_leg (ladder);
CREATE INDEX ix_web_session_expires_at ON web_session (expires_at);
CREATE INDEX ix_web_session_former ON web_session (former);
CREATE INDEX ix_web_session_user ON web_session (user);
CREATE INDEX ix_web_invite_user ON web_invite (user);
CREATE INDEX ix_audit_action_at ON audit (action, at);
CREATE INDEX ix_audit_at ON audit (at);
CREATE INDEX ix_audit_subject_at ON audit (subject, at);
CREATE INDEX ix_audit_who_at ON audit (who, at);
CREATE INDEX ix_call_back_number_wanted_at ON call_back (number, wanted_at);
CREATE INDEX ix_call_back_state ON call_back (state);
CREATE INDEX ix_call_back_task ON call_back (task);
CREATE INDEX ix_call_back_wanted_at ON call_back (wanted_at);
CREATE INDEX ix_note_number_at ON note (number, at);
CREATE INDEX ix_note_contact_at ON note (contact, at);
CREATE INDEX ix_note_at ON note (at);
CREATE INDEX ix_task_closed_at ON task (closed_at);
COMMIT;
