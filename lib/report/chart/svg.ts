/** SVG as text. */

type Attributes = Readonly<Record<string, string | number | undefined>>;

export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
	const written = Object.entries(attributes)
		.filter(([, value]) => value !== undefined)
		.map(([key, value]) => ` ${key}="${typeof value === 'number' ? Number(value.toFixed(2)) : escaped(value as string)}"`);
	const open = `<${name}${written.join('')}`;
	return children.length === 0 ? `${open}/>` : `${open}>${children.join('')}</${name}>`;
}

/** Text as the content of an element or the value of an attribute; what XML has no place for is left out. */
export function escaped(text: string): string {
	return text
		.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
		.replace(/[&<>"]/g, (letter) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[letter] as string);
}

/** A whole picture on white, its words in the reader's own sans serif. */
export function picture(width: number, height: number, title: string, children: readonly string[]): string {
	const root = element(
		'svg',
		{
			...{ xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img' },
			...{ 'font-family': 'system-ui, sans-serif', 'font-size': 12, fill: '#333' },
		},
		`\n${[element('title', {}, escaped(title)), element('rect', { width, height, fill: 'white' }), ...children].join('\n')}\n`,
	);
	return `${root}\n`;
}
