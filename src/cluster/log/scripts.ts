/**
 * What Redis does to the log in one atomic step. Each script travels with its call, for the reason that `PUBLISH_NUMBERED` has.
 *
 * The log's events are counted (`n`), so that whoever follows it sees by two neighbours whether one between them is gone. A log
 * that is new, or that has lost its end (a restart from an older snapshot, a failover), begins again with a mark whose number
 * and id lie beyond all that anybody can know of before; whoever passes it has lost what was there.
 */
const MARK = `
local log,count,call=KEYS[1],KEYS[2],redis.call
local text=function(n) return string.format('%.0f',n) end
local known,floor=tonumber(ARGV[1]),tonumber(ARGV[2])
local mark=function()
local t=call('TIME')
local n=text(math.max(t[1]*1e6+t[2],known+1))
call('SET',count,n)
local id=text(math.max(t[1]*1e3+math.floor(t[2]/1e3),floor)+1)..'-0'
local made=redis.pcall('XADD',log,id,'mark','1','n',n)
if type(made)=='table' then made=call('XADD',log,'*','mark','1','n',n) end
return made
end`;

/**
 * Appends an event, numbered if it has a counter, unless its publish key was used before. One that Redis refuses (an ACL) is
 * not counted: it would be missed. What else may be refused is asked for before it, or left to the ticks, which tell.
 * KEYS: log, count, publish key, counter. ARGV: known number, known ms, most events, window in ms, message before the number,
 * message after it, '1' when there is a publish key, first number ('' = no counter), least number, expiry in ms, expected number
 * or ''. Gives {1, id, number, events up to it}, {2, id} for a key that was used, {0, '', number} when another number was expected.
 */
export const APPEND = `${MARK}
if ARGV[7]=='1' then
local first=call('GET',KEYS[3])
if first and first~='' then
call('SET',KEYS[3],first,'KEEPTTL')
return {2,first}
end
call('SET',KEYS[3],'','PX',ARGV[4])
end
local seq=''
if ARGV[8]~='' then
local number=math.max((call('GET',KEYS[4]) or 0)+ARGV[8],ARGV[9])
seq=text(number)
if ARGV[11]~='' and seq~=ARGV[11] then return {0,'',seq} end
call('SET',KEYS[4],text(number+1-ARGV[8]),'PX',ARGV[10])
end
local message=ARGV[5]..(ARGV[11]=='' and seq or '')..ARGV[6]
local append=function(n)
return redis.pcall('XADD',log,'NOMKSTREAM','MAXLEN','~',ARGV[3],'*','m',message,'n',text(n))
end
local n=call('INCR',count)
local id=n>1 and n>known and append(n)
if not id then
mark()
n=call('INCR',count)
id=append(n)
end
if id.err then
call('SET',count,text(n-1))
return id
end
if n%64==0 then redis.pcall('XTRIM',log,'MINID','~',text(math.max(0,string.match(id,'%d+')-ARGV[4]))) end
if ARGV[7]=='1' then call('SET',KEYS[3],id,'PX',ARGV[4]) end
return {1,id,seq,n}`.trim();

/**
 * Looks whether the log is still the one that was known, which is marked if it is not, and appends a tick if it is time, which
 * tells from which entry on there was nothing but ticks. That trims the log, too, which others may append to. The time of the
 * last tick says whether it is time, not that it expires: a clock that steps back would keep it for as long, and a Cluster that
 * moves the slot would refuse a script of which one key is gone. An instance that begins learns here that its Redis is too old, which
 * nothing else would tell it before the first publish, and in no words that help. It is asked what it looks at even where there is
 * no log yet. To trim, be it nothing, lets all that follows be written where Redis is full: ticks make room there.
 * A tick takes the place of the one right before it; one whose id does not say that it is a tick, since the log's last id is ahead of
 * the clock, stays.
 * KEYS: log, count, tick. ARGV: known number, known ms, known number in that ms, ms between ticks ('' = an instance begins, which
 * says behind which entry, and is never taken away), '1' = mark it unless another has, behind what is known; what ids of ticks end
 * with; most events and window in ms, when it is to be trimmed. Gives the id of the log's last entry.
 */
export const TICK = `${MARK}
redis.pcall('XTRIM',log,'MINID','0')
local last=call('XREVRANGE',log,'+','-','COUNT','1')[1]
if (ARGV[4]=='' or not last) and string.find(redis.pcall('XRANGE',log,'(0','+','COUNT','1').err or '','Invalid') then
return redis.error_reply('ERR lossless mode needs Redis 6.2 or newer, which this one is not')
end
local n=tonumber(call('GET',count) or 0)
local behind=function(id)
local ms,seq=string.match(id,'(%d+)-(%d+)')
return ms+0<floor or (ms+0==floor and seq+0<tonumber(ARGV[3]))
end
local doubted=function()
if ARGV[5]~='1' then return false end
for _,entry in ipairs(call('XRANGE',log,'('..ARGV[2]..'-'..ARGV[3],'+','COUNT','10000')) do
if entry[2][1]=='mark' then return false end
end
return true
end
if not last or doubted() or n==0 or n<known or behind(last[1]) then return mark() end
if ARGV[4]=='' then return call('XADD',log,'*','start',last[1],'n',text(n)) end
local t=call('TIME')
local now=t[1]*1e3+math.floor(t[2]/1e3)
local since=now-(tonumber(call('GET',KEYS[3])) or 0)
if since>=0 and since<ARGV[4]+0 then return last[1] end
call('SET',KEYS[3],text(now),'EX',3600)
local tick=last[2][1]=='tick'
local seq='-'..ARGV[6]
local add=function(how,id) return how('XADD',log,id,'tick',tick and last[2][2] or last[1],'n',text(n)) end
local id=add(redis.pcall,text(now)..seq)
if type(id)=='table' then id=add(call,'*') end
if tick and string.sub(last[1],-#seq)==seq then call('XDEL',log,last[1]) end
if ARGV[7] then
call('XTRIM',log,'MAXLEN','~',ARGV[7])
call('XTRIM',log,'MINID','~',text(math.max(0,string.match(id,'%d+')-ARGV[8])))
end
return id`.trim();
