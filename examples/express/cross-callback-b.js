/** The business service without Redis, and without ssekify: it does the work and calls the entry service back. */
const { serve } = require('./app');
const { serviceUrl } = require('./config');
const { allDone, begin, jobIn, post } = require('./jobs');

const entry = serviceUrl('ENTRY_URL', 'http://localhost:3005');

serve({
  name: 'ssekify business service',
  ownPort: 4005,
  addRoutes(app) {
    app.post('/process', (req, res) => {
      const job = jobIn(req);
      begin(job, (data) => post(`${entry}/fanout`, { userId: job.userId, event: 'job:done', data }));
      res.status(202).json({ requestId: job.requestId });
    });
  },
  stop: allDone,
});
