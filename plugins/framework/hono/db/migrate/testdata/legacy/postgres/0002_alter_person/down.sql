ALTER TABLE "client" RENAME TO "person";
-- next
DROP INDEX "client_n_unique";
-- next
CREATE UNIQUE INDEX "person_n_unique" ON "person" ("n");
