-- runs with: 1
-- history: the database's, when positions were last moved. ahead: ms that they are ahead of its clock (rule A14).
ALTER TABLE sync_head ADD COLUMN history TEXT NOT NULL DEFAULT '';
ALTER TABLE sync_head ADD COLUMN ahead BIGINT NOT NULL DEFAULT 0;
