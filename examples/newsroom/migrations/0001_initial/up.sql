CREATE TABLE `section` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`name` text NOT NULL,
	`slug` text NOT NULL,
	`blurb` text
);
-- next
CREATE TABLE `article` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`title` text NOT NULL,
	`slug` text NOT NULL,
	`section_id` integer NOT NULL,
	`author_id` integer NOT NULL,
	`summary` text NOT NULL,
	`body` text NOT NULL,
	`cover` text,
	`published_at` integer,
	CONSTRAINT `fk_article_section_id_section_id_fk` FOREIGN KEY (`section_id`) REFERENCES `section`(`id`) ON DELETE RESTRICT,
	CONSTRAINT `fk_article_author_id_users_id_fk` FOREIGN KEY (`author_id`) REFERENCES `users`(`id`) ON DELETE RESTRICT
);
-- next
CREATE TABLE `comment` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`article_id` integer NOT NULL,
	`author_id` integer NOT NULL,
	`body` text NOT NULL,
	`at` integer NOT NULL,
	CONSTRAINT `fk_comment_article_id_article_id_fk` FOREIGN KEY (`article_id`) REFERENCES `article`(`id`) ON DELETE CASCADE,
	CONSTRAINT `fk_comment_author_id_users_id_fk` FOREIGN KEY (`author_id`) REFERENCES `users`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `permissions` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`name` text NOT NULL,
	`label` text NOT NULL
);
-- next
CREATE TABLE `groups` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`name` text NOT NULL
);
-- next
CREATE TABLE `groups_permissions` (
	`groups_id` integer NOT NULL,
	`permissions_id` integer NOT NULL,
	CONSTRAINT `groups_permissions_pk` PRIMARY KEY(`groups_id`, `permissions_id`),
	CONSTRAINT `fk_groups_permissions_groups_id_groups_id_fk` FOREIGN KEY (`groups_id`) REFERENCES `groups`(`id`) ON DELETE CASCADE,
	CONSTRAINT `fk_groups_permissions_permissions_id_permissions_id_fk` FOREIGN KEY (`permissions_id`) REFERENCES `permissions`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `users` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`email` text NOT NULL,
	`name` text NOT NULL,
	`is_active` integer NOT NULL,
	`is_staff` integer NOT NULL,
	`is_superuser` integer NOT NULL,
	`joined_at` integer NOT NULL,
	`last_login` integer,
	`email_verified_at` integer
);
-- next
CREATE TABLE `users_groups` (
	`users_id` integer NOT NULL,
	`groups_id` integer NOT NULL,
	CONSTRAINT `users_groups_pk` PRIMARY KEY(`users_id`, `groups_id`),
	CONSTRAINT `fk_users_groups_users_id_users_id_fk` FOREIGN KEY (`users_id`) REFERENCES `users`(`id`) ON DELETE CASCADE,
	CONSTRAINT `fk_users_groups_groups_id_groups_id_fk` FOREIGN KEY (`groups_id`) REFERENCES `groups`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `users_permissions` (
	`users_id` integer NOT NULL,
	`permissions_id` integer NOT NULL,
	CONSTRAINT `users_permissions_pk` PRIMARY KEY(`users_id`, `permissions_id`),
	CONSTRAINT `fk_users_permissions_users_id_users_id_fk` FOREIGN KEY (`users_id`) REFERENCES `users`(`id`) ON DELETE CASCADE,
	CONSTRAINT `fk_users_permissions_permissions_id_permissions_id_fk` FOREIGN KEY (`permissions_id`) REFERENCES `permissions`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `auth_passwords` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`user_id` integer NOT NULL,
	`hash` text NOT NULL,
	`changed_at` integer NOT NULL,
	CONSTRAINT `fk_auth_passwords_user_id_users_id_fk` FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `auth_tokens` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`hash` text NOT NULL,
	`purpose` text NOT NULL,
	`user_id` integer,
	`email` text NOT NULL,
	`data` text NOT NULL,
	`expires_at` integer NOT NULL,
	CONSTRAINT `fk_auth_tokens_user_id_users_id_fk` FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `auth_throttle` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`key` text NOT NULL,
	`count` integer NOT NULL,
	`since` integer NOT NULL
);
-- next
CREATE TABLE `auth_second_factors` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`user_id` integer NOT NULL,
	`secret` text NOT NULL,
	`counter` integer NOT NULL,
	`created_at` integer NOT NULL,
	CONSTRAINT `fk_auth_second_factors_user_id_users_id_fk` FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `auth_recovery_codes` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`user_id` integer NOT NULL,
	`hash` text NOT NULL,
	CONSTRAINT `fk_auth_recovery_codes_user_id_users_id_fk` FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON DELETE CASCADE
);
-- next
CREATE TABLE `admin_changes` (
	`id` integer PRIMARY KEY AUTOINCREMENT,
	`at` integer NOT NULL,
	`user_id` integer,
	`user_name` text NOT NULL,
	`model` text NOT NULL,
	`row_id` integer NOT NULL,
	`title` text NOT NULL,
	`kind` text NOT NULL,
	`note` text NOT NULL,
	`changes` text NOT NULL
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
CREATE UNIQUE INDEX `section_name_unique` ON `section` (`name`);
-- next
CREATE UNIQUE INDEX `section_slug_unique` ON `section` (`slug`);
-- next
CREATE UNIQUE INDEX `article_slug_unique` ON `article` (`slug`);
-- next
CREATE INDEX `article_section` ON `article` (`section_id`);
-- next
CREATE INDEX `article_author` ON `article` (`author_id`);
-- next
CREATE INDEX `article_published_at` ON `article` (`published_at`);
-- next
CREATE INDEX `article_section_published_at` ON `article` (`section_id`,`published_at`);
-- next
CREATE INDEX `comment_article` ON `comment` (`article_id`);
-- next
CREATE INDEX `comment_author` ON `comment` (`author_id`);
-- next
CREATE INDEX `comment_at` ON `comment` (`at`);
-- next
CREATE UNIQUE INDEX `permissions_name_unique` ON `permissions` (`name`);
-- next
CREATE UNIQUE INDEX `groups_name_unique` ON `groups` (`name`);
-- next
CREATE INDEX `groups_permissions_to` ON `groups_permissions` (`permissions_id`);
-- next
CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);
-- next
CREATE INDEX `users_is_active` ON `users` (`is_active`);
-- next
CREATE INDEX `users_is_staff` ON `users` (`is_staff`);
-- next
CREATE INDEX `users_is_superuser` ON `users` (`is_superuser`);
-- next
CREATE INDEX `users_groups_to` ON `users_groups` (`groups_id`);
-- next
CREATE INDEX `users_permissions_to` ON `users_permissions` (`permissions_id`);
-- next
CREATE INDEX `auth_passwords_user` ON `auth_passwords` (`user_id`);
-- next
CREATE UNIQUE INDEX `auth_passwords_user_unique` ON `auth_passwords` (`user_id`);
-- next
CREATE UNIQUE INDEX `auth_tokens_hash_unique` ON `auth_tokens` (`hash`);
-- next
CREATE INDEX `auth_tokens_user` ON `auth_tokens` (`user_id`);
-- next
CREATE INDEX `auth_tokens_expires_at` ON `auth_tokens` (`expires_at`);
-- next
CREATE UNIQUE INDEX `auth_throttle_key_unique` ON `auth_throttle` (`key`);
-- next
CREATE INDEX `auth_throttle_since` ON `auth_throttle` (`since`);
-- next
CREATE INDEX `auth_second_factors_user` ON `auth_second_factors` (`user_id`);
-- next
CREATE UNIQUE INDEX `auth_second_factors_user_unique` ON `auth_second_factors` (`user_id`);
-- next
CREATE INDEX `auth_recovery_codes_user` ON `auth_recovery_codes` (`user_id`);
-- next
CREATE INDEX `admin_changes_model_row_id` ON `admin_changes` (`model`,`row_id`);
-- next
CREATE UNIQUE INDEX `edge_session_key_unique` ON `edge_session` (`key`);
-- next
CREATE INDEX `edge_session_subject` ON `edge_session` (`subject`);
-- next
CREATE INDEX `edge_session_expires_at` ON `edge_session` (`expires_at`);
