delete from notifications where seq < ? and state not in ('waiting', 'sending')
