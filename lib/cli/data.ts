/** distiltune data check */
import { excerpt, inWords, percent } from '../data/check/text.js';
import { Dataset } from '../dataset.js';
import type { CheckedData, DataReport, Example, Finding, Repairs } from '../index.js';
import type { Output } from './output.js';

export interface DataCheckFlags {
	readonly against?: string;
	readonly fix?: string;
	readonly model?: string;
	readonly strict?: boolean;
	readonly textColumn: string;
	readonly labelColumn: string;
}

/** Findings are no failure; with --strict an error or a warning among them ends the process with 1. */
export async function dataCheckVerb(file: string, flags: DataCheckFlags, output: Output): Promise<void> {
	const { against, model, fix } = flags;
	output.say(`Reading ${[file, ...(against === undefined ? [] : [against])].join(' and ')} ...`);
	const report = await Dataset.from(file, flags).check(against, { model, fix });
	output.result(report, output.quiet ? report.verdict : reportInWords(report));
	if (flags.strict && report.findings.some(({ severity }) => severity !== 'info')) process.exitCode = 1;
}

function reportInWords({ verdict, data, against, findings, repairs }: DataReport): string {
	const both = against === undefined ? [data] : [data, against];
	const unitOf = (source: string) => (both.find((each) => each.source === source)?.unit ?? 'Line').toLowerCase();
	return [
		...both.map(dataInWords),
		verdict,
		...findings.map((finding, index) => findingInWords(finding, index + 1, unitOf)),
		...(repairs === undefined ? [] : [repairsInWords(repairs)]),
	].join('\n\n');
}

const number = (value: number): string => inWords(Math.round(value));
/** More labels than anyone reads. */
const LABELS_SHOWN = 20;

function dataInWords({ source, rows, labels, lengths }: CheckedData): string {
	const entries = Object.entries(labels);
	const named = entries.slice(0, LABELS_SHOWN).map(([label, count]) => `${excerpt(label)} ${number(count)} (${percent(count / rows)})`);
	if (entries.length > LABELS_SHOWN) named.push(`and ${number(entries.length - LABELS_SHOWN)} labels more`);
	const cut = lengths.truncated.map(({ maxLength, share }) => `${percent(share)} at ${maxLength}`);
	const counted = `${lengths.countedBy.startsWith('estimated') ? '' : 'counted by '}${lengths.countedBy}`;
	return [
		`${source}: ${number(rows)} rows`,
		`  labels   ${named.join(', ')}`,
		`  tokens   median ${number(lengths.median)}, mean ${number(lengths.mean)}, longest ${number(lengths.max)} (${counted})`,
		`  cut      ${cut.join(', ')}`,
	].join('\n');
}

function findingInWords(finding: Finding, place: number, unitOf: (source: string) => string): string {
	const { code, severity, source, message, advice, count, lines, examples } = finding;
	const unit = unitOf(source);
	const words = [`${place}. ${severity} ${code}, ${source}`, `   ${message}.`];
	if (lines.length > 0) {
		const more = count > lines.length ? `, ... (${number(count)} in all)` : '';
		words.push(`   ${unit}${lines.length === 1 ? '' : 's'} ${lines.join(', ')}${more}`);
	}
	words.push(...examples.flatMap((example) => exampleInWords(example, unit, unitOf)), `   ${advice}`);
	return words.join('\n');
}

function exampleInWords({ line, text, label, file, other }: Example, unit: string, unitOf: (source: string) => string): string[] {
	const shown = (mark: string, place: string, row: Pick<Example, 'text' | 'label' | 'file'>) =>
		`     ${mark} ${place}${row.label === undefined ? '' : ` [${row.label}]`} ${row.file === undefined ? '' : `${row.file}: `}${row.text}`;
	const lines = [shown('>', `${unit} ${line}`, { text, label, file })];
	if (other !== undefined) lines.push(shown(' ', `like ${unitOf(other.source)} ${other.line} of ${other.source}`, other));
	return lines;
}

function repairsInWords({ output, rows, dropped, mended }: Repairs): string {
	const changes = [
		['repeated an earlier row to the letter', dropped.copies],
		['were empty', dropped.empty],
		['stand in the other data too', dropped.leaked],
		['could not be read', dropped.unreadable],
	] as const;
	const lines = ({ lines: shown, count }: Repairs['mended']) => `${shown.join(', ')}${count > shown.length ? ', ...' : ''}`;
	return [
		`Wrote ${number(rows)} rows to ${output}.`,
		...changes.filter(([, { count }]) => count > 0).map(([why, what]) => `  dropped ${number(what.count)} that ${why}: ${lines(what)}`),
		...(mended.count > 0 ? [`  mended ${number(mended.count)} texts: ${lines(mended)}`] : []),
	].join('\n');
}
