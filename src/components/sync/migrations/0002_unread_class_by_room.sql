-- runs with: 1
-- An event whose verdict is another for some members is written with a look at the classes of all.
CREATE INDEX unread_class_by_room ON unread_class (room_no, user_id, from_order, class);
