export interface InvoiceNumberGranted {
  readonly type: 'InvoiceNumberGranted';
  readonly data: {
    readonly effectiveAt: string;
    readonly series: string;
    readonly sequence: number;
    readonly number: string;
    readonly invoiceId: string;
  };
}

export type InvoiceNumbersEvent = InvoiceNumberGranted;
