/** S3's error codes that this server answers with, and their status. */
const statusOf = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const;

export type S3Code = keyof typeof statusOf;

/** An answer S3 gives instead of a result. `code` may be any text in faults. */
export class S3Error extends Error {
  override readonly name = 'S3Error';
  readonly code: string;
  readonly status: number;
  /** Elements added to the answer's XML. */
  readonly extra: Readonly<Record<string, string>>;

  constructor(
    code: S3Code,
    message: string,
    extra: Readonly<Record<string, string>> = {},
    status: number = statusOf[code],
  ) {
    super(message);
    this.code = code;
    this.status = status;
    this.extra = extra;
  }

  /** Any code and status at all, for faults. */
  static injected(code: string, status: number, extra: Readonly<Record<string, string>>): S3Error {
    return new S3Error(code as S3Code, `Injected ${code}`, extra, status);
  }
}
