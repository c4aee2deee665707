'use strict'

// Rotation of the gateway's logs, for /etc/logrotate.d/<app> (logrotate(8)).

/** @param {{ app: string, logs?: string }} site */
module.exports = ({ app, logs = '/var/log/nginx' }) => `# Rotation of the gateway's logs of ${app}: goes to /etc/logrotate.d/${app}.
#
# An archive keeps its name for ever (dateext), which is how deploy:logs knows what it has fetched;
# it deletes with --prune what it has verified. 63 days are kept of what it has not.
${logs}/${app}.access.json ${logs}/${app}.posts.json ${logs}/${app}.error {
    daily
    rotate 63
    maxage 63
    dateext
    compress
    missingok
    notifempty
    create 0640 www-data adm
    sharedscripts
    postrotate
        [ ! -f /run/nginx.pid ] || kill -USR1 "$(cat /run/nginx.pid)"
    endscript
}
`
