module.exports = (agent) => {
  agent.messenger.on('ask-agent', ({ method, args }) => agent.sse[method](...args));
};
