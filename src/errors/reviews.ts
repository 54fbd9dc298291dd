// The reasons of the command `webhook`, which has no app: what is wrong with an admission review, or that it is none. Rows of
// the table of errors.ts.

const OF_CLIENT = { error: 'http_request_error', side: 'client' } as const;
const NOT_OURS = 'Something else than the API server asks here, or its webhook configuration is not that of the chart.';

export const REVIEW_ROWS = {
  no_such_endpoint: {
    ...OF_CLIENT,
    status: 404,
    text: 'The webhook answers POST /inject only.',
    advice: 'The path in the MutatingWebhookConfiguration must be /inject.',
  },
  malformed_review: {
    ...OF_CLIENT,
    status: 400,
    text: 'The body is not an AdmissionReview in JSON with a request of the API server.',
    advice: NOT_OURS,
  },
  unsupported_review: {
    ...OF_CLIENT,
    status: 400,
    text: 'The AdmissionReview is not of admission.k8s.io/v1.',
    advice: 'The admissionReviewVersions of the MutatingWebhookConfiguration must be [v1].',
  },
  review_too_large: {
    ...OF_CLIENT,
    status: 413,
    text: 'The AdmissionReview is larger than 3 MiB.',
    advice: NOT_OURS,
  },
  review_timeout: {
    ...OF_CLIENT,
    status: 408,
    text: 'The AdmissionReview did not arrive within 2 s.',
    advice: 'The network between the API server and the webhook, or a webhook that is short of CPU.',
  },
};
