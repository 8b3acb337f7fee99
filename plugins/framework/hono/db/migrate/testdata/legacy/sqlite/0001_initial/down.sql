DROP INDEX IF EXISTS `person_n_unique`;
-- next
DROP INDEX IF EXISTS `pet_owner`;
-- next
DROP INDEX IF EXISTS `edge_session_key_unique`;
-- next
DROP INDEX IF EXISTS `edge_session_subject`;
-- next
DROP INDEX IF EXISTS `edge_session_expires_at`;
-- next
DROP TABLE `person`;
-- next
DROP TABLE `pet`;
-- next
DROP TABLE `edge_session`;
