ALTER TABLE "pet" DROP CONSTRAINT "pet_owner_id_person_id_fkey";
-- next
DROP TABLE "person";
-- next
DROP TABLE "pet";
-- next
DROP TABLE "edge_session";
