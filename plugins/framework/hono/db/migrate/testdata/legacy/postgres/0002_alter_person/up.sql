ALTER TABLE "person" RENAME TO "client";
-- next
DROP INDEX "person_n_unique";
-- next
CREATE UNIQUE INDEX "client_n_unique" ON "client" ("n");
