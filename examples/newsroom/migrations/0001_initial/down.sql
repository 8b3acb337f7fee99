DROP INDEX IF EXISTS `section_name_unique`;
-- next
DROP INDEX IF EXISTS `section_slug_unique`;
-- next
DROP INDEX IF EXISTS `article_slug_unique`;
-- next
DROP INDEX IF EXISTS `article_section`;
-- next
DROP INDEX IF EXISTS `article_author`;
-- next
DROP INDEX IF EXISTS `article_published_at`;
-- next
DROP INDEX IF EXISTS `article_section_published_at`;
-- next
DROP INDEX IF EXISTS `comment_article`;
-- next
DROP INDEX IF EXISTS `comment_author`;
-- next
DROP INDEX IF EXISTS `comment_at`;
-- next
DROP INDEX IF EXISTS `permissions_name_unique`;
-- next
DROP INDEX IF EXISTS `groups_name_unique`;
-- next
DROP INDEX IF EXISTS `groups_permissions_to`;
-- next
DROP INDEX IF EXISTS `users_email_unique`;
-- next
DROP INDEX IF EXISTS `users_is_active`;
-- next
DROP INDEX IF EXISTS `users_is_staff`;
-- next
DROP INDEX IF EXISTS `users_is_superuser`;
-- next
DROP INDEX IF EXISTS `users_groups_to`;
-- next
DROP INDEX IF EXISTS `users_permissions_to`;
-- next
DROP INDEX IF EXISTS `auth_passwords_user`;
-- next
DROP INDEX IF EXISTS `auth_passwords_user_unique`;
-- next
DROP INDEX IF EXISTS `auth_tokens_hash_unique`;
-- next
DROP INDEX IF EXISTS `auth_tokens_user`;
-- next
DROP INDEX IF EXISTS `auth_tokens_expires_at`;
-- next
DROP INDEX IF EXISTS `auth_throttle_key_unique`;
-- next
DROP INDEX IF EXISTS `auth_throttle_since`;
-- next
DROP INDEX IF EXISTS `auth_second_factors_user`;
-- next
DROP INDEX IF EXISTS `auth_second_factors_user_unique`;
-- next
DROP INDEX IF EXISTS `auth_recovery_codes_user`;
-- next
DROP INDEX IF EXISTS `admin_changes_model_row_id`;
-- next
DROP INDEX IF EXISTS `edge_session_key_unique`;
-- next
DROP INDEX IF EXISTS `edge_session_subject`;
-- next
DROP INDEX IF EXISTS `edge_session_expires_at`;
-- next
DROP TABLE `section`;
-- next
DROP TABLE `article`;
-- next
DROP TABLE `comment`;
-- next
DROP TABLE `permissions`;
-- next
DROP TABLE `groups`;
-- next
DROP TABLE `groups_permissions`;
-- next
DROP TABLE `users`;
-- next
DROP TABLE `users_groups`;
-- next
DROP TABLE `users_permissions`;
-- next
DROP TABLE `auth_passwords`;
-- next
DROP TABLE `auth_tokens`;
-- next
DROP TABLE `auth_throttle`;
-- next
DROP TABLE `auth_second_factors`;
-- next
DROP TABLE `auth_recovery_codes`;
-- next
DROP TABLE `admin_changes`;
-- next
DROP TABLE `edge_session`;
