module.exports = require('../../../egg/app/middleware/json_errors');
