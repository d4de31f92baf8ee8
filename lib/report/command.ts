/** A run as a command to paste: its options, and what is to be different. */

type Options = Readonly<Record<string, unknown>>;

export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Options the resolved record always holds, though another one settles them: value of the other that makes them so. */
const settledBy: Readonly<Record<string, (options: Options) => unknown>> = {
	evalStrategy: ({ eval: evaluation }) => (evaluation === undefined ? 'no' : 'epoch'),
	evalSteps: ({ loggingSteps }) => loggingSteps,
	optim: ({ compat }) => (compat === '4.18' ? 'adamw_hf' : 'adamw_torch'),
	maxLength: () => 512,
};

/** `options`: as run.json has them; `changes` win, undefined leaves one out. Values that are the default's are not spelled. */
export function trainCommand(options: Options, changes: Options, defaults: Options): string {
	const wanted: Options = { ...options, ...changes };
	const words = Object.entries(wanted).flatMap(([name, value]) => {
		if (value === undefined || value === null || value === false || same(value, defaults[name]) || same(value, settledBy[name]?.(wanted))) return [];
		if (value === true) return [flagOf(name)];
		if (name === 'eval' && typeof value === 'object') return ['--eval-split', word((value as Options).split, 'SHARE')];
		return [flagOf(name), word(value, capitals(name))];
	});
	return ['distiltune', 'train', ...words].join(' ');
}

/** Looks at the rows of a run: those trained on, and those it was measured on if they are a file of their own. */
export function checkCommand({ train, eval: evaluation }: Options, ...more: readonly string[]): string {
	const against = typeof evaluation === 'string' ? ['--against', word(evaluation, 'EVAL')] : [];
	return ['distiltune', 'data', 'check', word(train, 'TRAIN'), ...against, ...more].join(' ');
}

/** As a POSIX shell reads it. What is no word of a file or a number, or would move the cursor of a terminal, gives way to `instead`. */
export function word(value: unknown, instead: string): string {
	const text = textOf(value);
	if (text === undefined || text === '' || text === 'rows in memory' || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) return instead;
	if (/^[\w./,:=@%+-]+$/.test(text) && !text.startsWith('-')) return text;
	return `'${(text.startsWith('-') ? `./${text}` : text).replaceAll("'", "'\\''")}'`;
}

function textOf(value: unknown): string | undefined {
	if (typeof value === 'string') return value;
	if (typeof value === 'number') return String(value);
	if (Array.isArray(value)) return value.map(String).join(',');
	if (typeof value !== 'object' || value === null) return undefined;
	return Object.entries(value)
		.map(([name, each]) => `${name}=${each}`)
		.join(',');
}

const capitals = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter}`).toUpperCase();
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
