const { jsonErrors } = require('../../../koa/json');

module.exports = () => jsonErrors;
