/** What may be attached to any error of this package. */
export interface ErrorExtras {
	/** The next move: usually a command to run. */
	readonly hint?: string | undefined;
	readonly cause?: unknown;
	/** Machine-readable facts, printed by the command line's `--json`. */
	readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Base of every error this package throws on purpose. Match on `code`: it lasts, the message does not. */
export class DistiltuneError extends Error {
	readonly code: string;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>> | undefined;

	constructor(code: string, message: string, extras: ErrorExtras = {}) {
		super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
		this.name = new.target.name;
		this.code = code;
		this.hint = extras.hint;
		this.details = extras.details;
	}
}

/** An option is misspelt, out of range or contradicts another. All faulty options come in one error. */
export class ConfigError extends DistiltuneError {}

/** A row, a column or a whole data file is not what was asked for. */
export class DataError extends DistiltuneError {
	readonly file: string | undefined;
	/** 1-based line of the file, where one is known. */
	readonly line: number | undefined;

	constructor(code: string, message: string, extras: ErrorExtras & { file?: string | undefined; line?: number | undefined } = {}) {
		super(code, message, extras);
		this.file = extras.file;
		this.line = extras.line;
	}
}

/** A model folder or one of its files is missing, damaged or of another shape. */
export class ModelError extends DistiltuneError {}

/** What is tried when a native library is looked for, and what became of it. */
export interface Attempt {
	readonly place: string;
	readonly found: boolean;
	readonly reason: string;
}

/** The machine lacks something: libtorch, an engine built for it, a compiler, Node, disk. */
export class RuntimeUnavailableError extends DistiltuneError {
	readonly tried: readonly Attempt[];
	/** Commands that mend it. */
	readonly fix: readonly string[];

	constructor(code: string, message: string, extras: ErrorExtras & { tried?: readonly Attempt[]; fix?: readonly string[] } = {}) {
		super(code, message, { ...extras, hint: extras.hint ?? extras.fix?.[0] });
		this.tried = extras.tried ?? [];
		this.fix = extras.fix ?? [];
	}
}

/** A run could not go on, or was asked for something it cannot do now. `checkpoint` is the folder of the last one that is whole, if there is one. */
export class TrainingError extends DistiltuneError {
	readonly checkpoint: string | undefined;

	constructor(code: string, message: string, extras: ErrorExtras & { checkpoint?: string | undefined } = {}) {
		super(code, message, extras);
		this.checkpoint = extras.checkpoint;
	}
}

/** A run was stopped by its AbortSignal. `checkpoint` is the folder saved on the way out, if there is one. */
export class AbortError extends DistiltuneError {
	readonly checkpoint: string | undefined;

	constructor(message: string, extras: ErrorExtras & { checkpoint?: string | undefined } = {}) {
		super('ABORTED', message, extras);
		this.name = 'AbortError';
		this.checkpoint = extras.checkpoint;
	}
}

/** A refusal of native code (an error with `code` and perhaps `hint`) as one of ours; anything else as it is. */
export function fromNative(cause: unknown, As: new (code: string, message: string, extras: ErrorExtras) => DistiltuneError): unknown {
	const { code, hint, message } = cause as { code?: string; hint?: string; message: string };
	return code === undefined || cause instanceof DistiltuneError ? cause : new As(code, message, { hint, cause });
}
