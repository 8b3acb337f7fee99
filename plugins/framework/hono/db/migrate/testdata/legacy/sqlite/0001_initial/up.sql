CREATE TABLE `person` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`n` text NOT NULL
);
-- next
CREATE TABLE `pet` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`owner_id` integer NOT NULL,
	`amount` integer NOT NULL,
	`hot` integer NOT NULL,
	`at` integer NOT NULL,
	`i` integer NOT NULL,
	`j` text NOT NULL,
	`day` text NOT NULL,
	CONSTRAINT `fk_pet_owner_id_person_id_fk` FOREIGN KEY (`owner_id`) REFERENCES `person`(`id`) ON DELETE RESTRICT
);
-- next
CREATE TABLE `edge_session` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`key` text NOT NULL,
	`data` text NOT NULL,
	`subject` text,
	`expires_at` integer NOT NULL
);
-- next
CREATE UNIQUE INDEX `person_n_unique` ON `person` (`n`);
-- next
CREATE INDEX `pet_owner` ON `pet` (`owner_id`);
-- next
CREATE UNIQUE INDEX `edge_session_key_unique` ON `edge_session` (`key`);
-- next
CREATE INDEX `edge_session_subject` ON `edge_session` (`subject`);
-- next
CREATE INDEX `edge_session_expires_at` ON `edge_session` (`expires_at`);
