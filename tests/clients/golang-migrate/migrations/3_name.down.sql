CREATE TABLE after_three (id int PRIMARY KEY)
