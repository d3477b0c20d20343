-- Passwords open the web UI: `scrypt$N$r$p$salt$hash`. Null = none; such a person has keys only.
alter table users add column password_hash text;

create table sessions (
  id uuid primary key,
  user_id integer not null references users (id),
  -- What the cookie holds is stored hashed, as keys are.
  token_hash text not null unique,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null
);
create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);
