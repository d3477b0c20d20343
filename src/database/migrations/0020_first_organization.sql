-- Which organization the first start made: both rows are of one moment, and the command line may have made other organizations before.
update instance
   set value = value || jsonb_build_object('organization_id',
         (select id from organizations where created_at = (value ->> 'at')::timestamptz(3) order by id limit 1))
 where key = 'bootstrapped';
